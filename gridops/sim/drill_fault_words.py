"""Words of a drill that pick single calls and frames, or own orders at the venue, and what they can be expected to do.

Part of the one catalogue in `drill_words`; `fault_day` carries the verbs out, `drill_fault_verdict` judges the
expectations. It holds names, kinds and limits.
"""

from collections.abc import Mapping
from decimal import Decimal

from gridops.domain import records
from gridops.sim.drill_arg import Arg, Word
from gridops.sim.link_faults import PAGE

_UNKNOWN = "Unknown error, please check your request or try again later."
_OVER = "The matching fabric is reticulating, kindly come back."
TEXTS: Mapping[str, tuple[bool, int, object, str]] = {
    "reset": (True, 0, None, ""),
    "refused_connection": (False, 0, None, ""),
    "unknown_done": (True, 503, {"code": -1000, "msg": _UNKNOWN}, ""),
    "odd_done": (True, 500, {"code": -9999, "msg": _OVER}, ""),
    "bare_down": (False, 503, None, "Service Unavailable"),
    "page_done": (True, 502, None, PAGE),
    "page_undone": (False, 403, None, PAGE),
    "empty_done": (True, 200, None, ""),
    "cut_done": (True, 200, None, '{"orderId": 28345, "symb'),
    "busy_done": (True, 408, {"code": -1007, "msg": "Timeout waiting for response from backend server."}, ""),
    "duplicate_done": (True, 400, {"code": -4116, "msg": "ClientOrderId is duplicated."}, ""),
    "claimed_undone": (False, 200, {"code": 200, "msg": "The operation of cancel all open order is done."}, ""),
    "system": (False, 503, {"code": -1001, "msg": "Internal error; unable to process your request."}, ""),
    "key_lost": (False, 400, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, ""),
    "too_many": (False, 429, {"code": -1003, "msg": "Too many requests; current limit is 2400."}, ""),
}
"""Fault -> (did the venue do it, HTTP status or 0 for none, JSON body, text)."""
FATES = ("drop_request", "drop_reply", "hidden_success", "unavailable", "unknown_undone", "late_request")
RECORDS = {
    type_.__name__: type_
    for type_ in vars(records).values()
    if isinstance(type_, type) and type_.__module__ == records.__name__
}

_STRUCK: Mapping[str, Arg] = {
    "skip": Arg("integer", "so many go free first", 0),
    "count": Arg("integer", "how many are struck; 0 = all", 0),
    "share_pct": Arg("number", "of them", Decimal(100), high=Decimal(100)),
    "for_s": Arg("seconds", "how long; 0 = until `calm` or the end", Decimal(0)),
}
_METHODS = ("any", "GET", "POST", "PUT", "DELETE")
_KINDS = ("any", "risk", "exit")
_CALLS: Mapping[str, Arg] = {
    "method": Arg("word", "of the calls", "any", words=_METHODS),
    "path": Arg("text", "part of the path; empty = all", ""),
    "kind": Arg("word", "of orders: those that may raise risk, those that cannot", "any", words=_KINDS),
    **_STRUCK,
}
_READS: Mapping[str, Arg] = {name: arg for name, arg in _CALLS.items() if name not in ("method", "kind")}
_EVENTS = ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "bookTicker", "aggTrade", "markPriceUpdate")
_FRAMES: Mapping[str, Arg] = {
    "event": Arg("word", "type of the frames", required=True, words=_EVENTS),
    "execution": Arg("text", "of order reports, such as NEW, TRADE, CANCELED; empty = any", ""),
    **_STRUCK,
}
_FIELD: Mapping[str, Arg] = {
    "field": Arg("text", "dotted path, such as o.X; rows of a list alike", required=True),
    "value": Arg("text", "its new value", ""),
    "remove": Arg("flag", "take the field away instead", False),
}

FAULT_VERBS: Mapping[str, Word] = {
    "call_fault": Word(
        "picked calls suffer one fault; `done` in its name = the venue did what was asked",
        {"fault": Arg("word", "which", required=True, words=(*FATES, *TEXTS)), **_CALLS},
    ),
    "call_slow": Word(
        "answers to picked calls stay away; beyond the client's time limit they are lost",
        {"hold_s": Arg("seconds", "how much longer", required=True), **_CALLS},
    ),
    "call_refuse": Word(
        "the venue refuses picked calls, of a batch the legs of that kind",
        {
            "status": Arg("integer", "HTTP status", 400, low=Decimal(400), high=Decimal(599)),
            "code": Arg("integer", "venue code", required=True, low=Decimal(-99_999)),
            "message": Arg("text", "venue message", "refused"),
            **_CALLS,
        },
    ),
    "batch_mixed": Word(
        "each leg of a batch is done, refused, or unknown and done or not",
        {
            "cut": Arg("flag", "one leg is missing in the answer", False),
            **{name: arg for name, arg in _CALLS.items() if name not in ("path", "kind")},
        },
    ),
    "call_stale": Word("picked reads show the venue as it is now, however late they are made", _READS),
    "call_change": Word("a field of the answers to picked calls is another, or gone", {**_FIELD, **_CALLS}),
    "call_omit": Word(
        "lists that are read lack rows", {"rows": Arg("integer", "how many; 0 = all", 1), **_READS}
    ),
    "row_added": Word(
        "the symbols' rules hold one row more",
        {
            "row": Arg("table", "its fields", required=True),
            **{name: arg for name, arg in _READS.items() if name != "path"},
        },
    ),
    "fill_at": Word(
        "somebody trades with the very order a picked request is about",
        {
            "when": Arg("word", "before or after the venue has the request", "before", words=("before", "after")),
            "lots": Arg("integer", "at most; 0 = all", 0),
            "lost": Arg("flag", "the answer is lost", False),
            **_CALLS,
        },
    ),
    "foreign_burst": Word(
        "another hand trades at the market many times over, buying and selling in turn",
        {"lots": Arg("integer", "each", 1, low=Decimal(1)), "times": Arg("integer", "how often", required=True)},
    ),
    "frames_lost": Word("picked frames never arrive", _FRAMES),
    "frames_twice": Word(
        "picked frames arrive twice", {"wait_s": Arg("seconds", "at most so much later", Decimal(0)), **_FRAMES}
    ),
    "frames_late": Word("picked frames arrive late", {"wait_s": Arg("seconds", "so much", required=True), **_FRAMES}),
    "frames_mixed": Word(
        "picked frames arrive late, each by its own time, and so in another order",
        {"wait_s": Arg("seconds", "at most so much", required=True), **_FRAMES},
    ),
    "frames_changed": Word("a field of picked frames is another, or gone", {**_FIELD, **_FRAMES}),
    "own_ended": Word(
        "the venue ends own orders by itself, those nearest to the market first",
        {
            "status": Arg("word", "of the orders", "EXPIRED", words=("EXPIRED", "EXPIRED_IN_MATCH", "CANCELED")),
            "side": Arg("word", "which side", required=True, words=("BUY", "SELL")),
            "orders": Arg("integer", "how many; 0 = all", 1),
            "silent": Arg("flag", "no frame tells of it", False),
        },
    ),
}  # fmt: skip
STRIKING = frozenset(FAULT_VERBS) - {"foreign_burst"}
"""Verbs whose fault must have struck; else the drill fails."""

_SINCE = Arg("text", "what it counts from: a step's name, or a cue such as `state DEGRADED`", default="start")
_UNTIL = Arg("text", "a step's name or a cue; empty = the end of the run", default="")
_LEAST = Arg("integer", "how many", 1)
_MOST = Arg("integer", "how many; -1 = any", -1, low=Decimal(-1))

FAULT_EXPECTS: Mapping[str, Word] = {
    "journal": Word(
        "the journal holds records of a type, this often",
        {
            "record": Arg("word", "its type", required=True, words=tuple(RECORDS)),
            "where": Arg("table", "fields and what they say", default={}),
            "least": _LEAST,
            "most": _MOST,
            "since": _SINCE,
            "until": _UNTIL,
        },
    ),
    "calls": Word(
        "requests left, this often",
        {
            "method": Arg("word", "of the calls", "any", words=_METHODS),
            "path": Arg("text", "part of the path; empty = all", ""),
            "least": Arg("integer", "how many", 0),
            "most": _MOST,
            "since": _SINCE,
            "until": _UNTIL,
        },
    ),
    "refusals": Word(
        "order requests the venue itself refused, by its own rules",
        {
            "code": Arg("integer", "venue code; 0 = any", 0, low=Decimal(-99_999)),
            "least": Arg("integer", "how many", 0),
            "most": _MOST,
            "since": _SINCE,
            "until": _UNTIL,
        },
    ),
    "rests": Word(
        "by the venue, own orders that raise risk rest then",
        {
            "at": Arg("text", "a step's name or a cue; empty = the end of the run", default=""),
            "least": _LEAST,
            "most": _MOST,
        },
    ),
}
