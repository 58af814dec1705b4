"""The words a drill may use: what can be done in a step, what can be expected, and the arguments of each.

One catalogue for the parser, for `gridops drill words` and for whoever writes a drill. It holds names, kinds and
limits; `drill_day` carries verbs out and `drill_verdict` judges expectations.
"""

from collections.abc import Mapping
from decimal import Decimal

from gridops.decide import signals
from gridops.domain.vocabulary import Decision, FsmEvent, FsmReason, FsmState, MismatchKind, RouterReason
from gridops.errors import ConfigError
from gridops.sim.drill_arg import Arg, Word
from gridops.sim.drill_fault_words import FAULT_EXPECTS, FAULT_VERBS

__all__ = ["EXPECTS", "VERBS", "Arg", "Word", "arguments"]

_STATES = tuple(state.value for state in FsmState)
_REASONS = tuple(reason.value for reason in FsmReason)
_WHYS = tuple(reason.value for reason in RouterReason)
_FOR = Arg("seconds", "how long", required=True)
_FOR_OPEN = Arg("seconds", "how long; 0 = until `calm` or the end", default=Decimal(0))
_SIDE = Arg("word", "which side", required=True, words=("BUY", "SELL"))
_REST_FAULTS = ("drop_request", "drop_reply", "hidden_success", "unavailable", "unknown_undone", "late_request")


def _bps(says: str, **rest: object) -> Arg:
    return Arg("number", says, low=Decimal(-9_000), high=Decimal(100_000), **rest)  # type: ignore[arg-type]


VERBS: Mapping[str, Word] = {
    "calm": Word("ends every fault that is under way", {}),
    # The market.
    "price": Word(
        "moves the mid; takers trade through what rests on the way",
        {"move_bps": _bps("from where it is", required=True), "over_s": Arg("seconds", "0 = a gap", Decimal(0))},
    ),
    "spread": Word("sets the spread of the book", {"bps": _bps("0 = one tick", required=True), "for_s": _FOR_OPEN}),
    "book": Word(
        "the outside book takes a bad shape",
        {"shape": Arg("word", "which", required=True, words=("crossed", "empty", "thin")), "for_s": _FOR},
    ),
    "mark": Word("does nothing: names a moment that expectations count from", {}),
    "mark_price": Word(
        "the mark is held away from the price",
        {"move_bps": _bps("from the mid", required=True), "for_s": _FOR},
    ),
    "market_end": Word("the recording is over", {}),
    # Streams.
    "user_down": Word("the private socket closes", {"for_s": _FOR}),
    "user_silent": Word("the private socket stays open and tells nothing", {"for_s": _FOR}),
    "market_down": Word("the public sockets close", {"for_s": _FOR}),
    "market_silent": Word("the public sockets stay open and tell nothing", {"for_s": _FOR}),
    # REST.
    "rest_down": Word("no request is answered", {"for_s": _FOR}),
    "ban": Word("418 for everything", {"for_s": _FOR}),
    "rest_fault": Word(
        "a share of all calls suffers one fault",
        {
            "fault": Arg("word", "which", required=True, words=_REST_FAULTS),
            "share_pct": Arg("number", "of calls", default=Decimal(100), high=Decimal(100)),
            "for_s": _FOR,
        },
    ),
    "refuse": Word(
        "the venue refuses calls whose path contains a text",
        {
            "path": Arg("text", "part of the path; empty = all", default=""),
            "method": Arg("word", "of the calls", default="any", words=("any", "GET", "POST", "PUT", "DELETE")),
            "status": Arg("integer", "HTTP status", default=400, low=Decimal(400), high=Decimal(599)),
            "code": Arg("integer", "venue code", required=True, low=Decimal(-99_999)),
            "message": Arg("text", "venue message", default="refused"),
            "for_s": _FOR,
        },
    ),
    "used_weight": Word(
        "answers state this much used request weight of the minute",
        {"weight": Arg("integer", "of 2400", required=True), "for_s": _FOR},
    ),
    # The process, its machine, its disk.
    "crash": Word(
        "SIGKILL, and a new start later",
        {"away_s": Arg("seconds", "until the start", Decimal(2)), "reboot": Arg("flag", "of the machine", False)},
    ),
    "restart": Word(
        "SIGKILL, and a start with other options",
        {
            "away_s": Arg("seconds", "until the start", Decimal(2)),
            "armed": Arg("flag", "the next start is armed", True),
            "fingerprint": Arg("text", "environment the next start finds", "sim"),
        },
    ),
    "freeze": Word("SIGSTOP or suspend", {"for_s": _FOR}),
    "disk_fails": Word("no commit succeeds", {"for_s": _FOR}),
    "disk_slow": Word("commits take long", {"ms": Arg("integer", "each", required=True), "for_s": _FOR}),
    "disk_low": Word("free space is below the limit", {"for_s": _FOR}),
    "clock_step": Word(
        "the wall clock is wrong by", {"ms": Arg("integer", "+ = ahead", required=True, low=Decimal(-(10**9)))}
    ),
    "lease_lost": Word("another process holds the lease", {"for_s": _FOR}),
    # Other hands on the account.
    "foreign_order": Word(
        "another hand trades at the market",
        {"side": _SIDE, "lots": Arg("integer", "how many", required=True, low=Decimal(1))},
    ),
    "unlisted_order": Word(
        "another hand trades at the market; neither stream nor history tell of it, only position and wallet do",
        {
            "side": _SIDE,
            "lots": Arg("integer", "how many", required=True, low=Decimal(1)),
            "for_s": Arg("seconds", "until the history lists it; 0 = never", default=Decimal(0)),
        },
    ),
    "foreign_limit": Word(
        "another hand rests a limit order",
        {
            "side": _SIDE,
            "lots": Arg("integer", "how many", required=True, low=Decimal(1)),
            "away_bps": _bps("from the mid, on its own side", default=Decimal(50)),
        },
    ),
    "foreign_writer": Word("an order with our tag and a newer epoch rests at the venue", {}),
    "close_position": Word("another hand closes the position at the market", {}),
    "cancel_all": Word("another hand cancels every order of the symbol", {}),
    "fill_nearest": Word(
        "somebody takes part of the own order nearest to the market",
        {"side": _SIDE, "lots": Arg("integer", "how many", required=True, low=Decimal(1))},
    ),
    "transfer": Word("a deposit or, negative, a withdrawal", {"amount": _bps("USDT", required=True)}),
    "venue_call": Word(
        "another hand makes any signed request",
        {
            "method": Arg("word", "HTTP method", required=True, words=("POST", "PUT", "DELETE")),
            "path": Arg("text", "such as /fapi/v1/leverage", required=True),
            "params": Arg("table", "its parameters", default={}),
        },
    ),
    "deleverage": Word("the venue closes part of the position", {"lots": Arg("integer", "0 = all", default=0)}),
    "liquidate": Word("the venue takes the account over", {}),
    "fund": Word("funding is settled now", {"rate_bps": _bps("of the notional", required=True)}),
    "set_filter": Word(
        "one rule of the symbol changes",
        {
            "rule": Arg("text", "such as tick_size, step_size, min_notional", required=True),
            "value": Arg("text", "its new value", required=True),
        },
    ),
    "symbol_status": Word("sets the symbol's status", {"status": Arg("text", "such as SETTLING", required=True)}),
    # Operator and signals.
    "pause": Word("operator: pause", {}),
    "resume": Word("operator: resume", {}),
    "ack": Word("operator: acknowledge", {"accept_position": Arg("flag", "not flat is accepted", False)}),
    "kill": Word("operator: kill switch", {}),
    "stop": Word("operator: orderly stop", {}),
    "sync": Word("operator: compare both sides and plan remedies", {}),
    "sync_apply": Word("operator: carry out the newest plan of remedies", {}),
    "sigterm": Word("SIGTERM", {}),
    "signal": Word(
        "an outside signal changes",
        {
            "signal": Arg("word", "which", required=True, words=tuple(signals.BOUNDS)),
            "scaled": Arg("integer", "toxicity x 1000; 1 = the others on", default=1, low=Decimal(-(10**9))),
            "ttl_s": Arg("seconds", "until it expires", Decimal(3_600)),
        },
    ),
    **FAULT_VERBS,
}

_ANCHOR = Arg("text", "what within_s counts from: a step's name, or a cue such as `state DEGRADED`", default="fault")
_WITHIN = Arg("seconds", "at most this long after `since`", required=True)
_TO = Arg("text", "a step's name or a cue; empty = the end of the run", default="")

EXPECTS: Mapping[str, Word] = {
    "state": Word(
        "the account enters a state",
        {
            "enters": Arg("word", "which", required=True, words=_STATES),
            "reason": Arg("word", "of the transition; empty = any", default="", words=("", *_REASONS)),
            "event": Arg("word", "of the row; empty = any", default="", words=("", *(e.value for e in FsmEvent))),
            "since": _ANCHOR,
            "within_s": _WITHIN,
        },
    ),
    "never": Word(
        "these states are not entered",
        {"enters": Arg("words", "which", required=True, words=_STATES), "since": _ANCHOR, "until": _TO},
    ),
    "ends_in": Word("the state at the end", {"states": Arg("words", "one of", required=True, words=_STATES)}),
    "path": Word(
        "the states entered since then are exactly these, in order",
        {"states": Arg("words", "in order", required=True, words=_STATES), "since": _ANCHOR},
    ),
    "level": Word(
        "a condition opens or closes",
        {
            "reason": Arg("word", "which", required=True, words=_REASONS),
            "edge": Arg("word", "which edge", default="opens", words=("opens", "closes")),
            "scope": Arg("text", "account or a symbol; empty = any", default=""),
            "since": _ANCHOR,
            "within_s": _WITHIN,
        },
    ),
    "no_level": Word(
        "a condition does not open",
        {"reason": Arg("word", "which", required=True, words=_REASONS), "since": _ANCHOR, "until": _TO},
    ),
    "no_increase": Word(
        "nothing that raises risk reaches the wire",
        {"since": _ANCHOR, "grace_s": Arg("seconds", "allowed after `since`", Decimal(0)), "until": _TO},
    ),
    "no_increase_rests": Word(
        "by the venue, no own order that raises risk rests any more", {"since": _ANCHOR, "within_s": _WITHIN}
    ),
    "flat": Word("by the venue, the position is zero", {"since": _ANCHOR, "within_s": _WITHIN}),
    "holding": Word("by the venue, a position was open then", {"since": _ANCHOR}),
    "books_equal": Word("at the end position, orders, fills and wallet equal the venue's to the last digit", {}),
    "exposure_within_cap": Word(
        "the venue's worst case stays within the cap",
        {"pct": Arg("number", "of the cap", default=Decimal(100), high=Decimal(1_000))},
    ),
    "mismatch": Word(
        "the truth loops see a difference",
        {
            "kind": Arg("word", "which", required=True, words=tuple(kind.value for kind in MismatchKind)),
            "confirmed": Arg("flag", "by a second read", False),
            "since": _ANCHOR,
            "within_s": _WITHIN,
        },
    ),
    "note": Word(
        "the journal holds a note",
        {"topic": Arg("text", "its topic", required=True), "since": _ANCHOR, "within_s": _WITHIN},
    ),
    "answer": Word(
        "an operator's request is answered",
        {
            "step": Arg("text", "name of its step", required=True),
            "accepted": Arg("flag", "accepted", True),
            "within_s": Arg("seconds", "from the request", Decimal(1)),
        },
    ),
    "booked": Word(
        "rows of this kind are booked once each, and they are those of the venue",
        {
            "kind": Arg("text", "such as funding_fee, transfer, unattributed", required=True),
            "least": Arg("integer", "how many", 1),
        },
    ),
    "remedied": Word(
        "a remedy is carried out",
        {"remedy": Arg("text", "such as import_trades", required=True), "since": _ANCHOR, "within_s": _WITHIN},
    ),
    "trips": Word(
        "round trips that were open then are closed later",
        {"least": Arg("integer", "how many", 1), "since": _ANCHOR},
    ),
    "fills": Word("at least so many own fills are booked", {"least": Arg("integer", "how many", 1)}),
    "ended": Word("the run ends", {"clean": Arg("flag", "in order", True), "since": _ANCHOR, "within_s": _WITHIN}),
    "every_row": Word("every row of the lifecycle table that inputs can reach is walked", {}),
    "bundle": Word(
        "a bundle of this mode is ordered",
        {"mode": Arg("text", "its mode", required=True), "since": _ANCHOR, "within_s": _WITHIN},
    ),
    "decisions": Word(
        "the router decided so, this often",
        {
            "decision": Arg("word", "which", required=True, words=tuple(each.value for each in Decision)),
            "reason": Arg("word", "its reason; empty = any", default="", words=("", *_WHYS)),
            "least": Arg("integer", "times", 1),
            "most": Arg("integer", "times; -1 = any", -1, low=Decimal(-1)),
            "since": Arg("text", _ANCHOR.says, default="start"),
            "until": _TO,
        },
    ),
    "amends_exact": Word(
        "the amends that left are the amends journaled, one for one",
        {"least": Arg("integer", "how many", 1)},
    ),
    "requests": Word(
        "requests of the engine that name a symbol",
        {"symbol": Arg("text", "which", required=True), "most": Arg("integer", "how many", 0)},
    ),
    "router_cases": Word(
        "the router's written cases are answered as written, twice over",
        {
            "reasons": Arg("words", "cases of these reasons; none = all", default=(), words=_WHYS),
            "least": Arg("integer", "cases", 1),
        },
    ),
    **FAULT_EXPECTS,
}


def arguments(kind: str, catalogue: Mapping[str, Word], name: object, given: Mapping[str, object]) -> dict[str, object]:
    """Checked arguments of one word, defaults filled in; ranges stay pairs. ConfigError names key, value, allowed."""
    word = catalogue.get(name) if isinstance(name, str) else None
    if word is None:
        raise ConfigError(f"{kind} {name!r} is unknown", hint=f"allowed: {', '.join(catalogue)}")
    for key, held in given.items():
        if key not in word.args:
            allowed = ", ".join(word.args) or "no argument"
            raise ConfigError(f"{kind} {name}: {key} = {held!r} is unknown", hint=f"allowed: {allowed}")
    found: dict[str, object] = {}
    for key, arg in word.args.items():
        if key in given:
            found[key] = _checked(f"{kind} {name}: {key}", arg, given[key])
        elif arg.required:
            raise ConfigError(f"{kind} {name}: {key} is missing", hint=f"{key}: {arg.kind}, {arg.says}")
        else:
            found[key] = arg.default
    return found


def _checked(where: str, arg: Arg, value: object) -> object:
    if arg.kind in ("seconds", "integer", "number"):
        return _number(where, arg, value)
    if arg.kind == "flag":
        return _of_type(where, value, bool, "true or false")
    if arg.kind == "table":
        table = _of_type(where, value, dict, "a table")
        assert isinstance(table, dict)
        return {str(name): str(held) for name, held in table.items()}
    if arg.kind == "words":
        listed = _of_type(where, value, list, f"a list of {', '.join(arg.words)}")
        assert isinstance(listed, list)
        return tuple(_word(where, arg, each) for each in listed)
    return _word(where, arg, value)


def _word(where: str, arg: Arg, value: object) -> str:
    if not isinstance(value, str) or (arg.words and value not in arg.words):
        raise ConfigError(f"{where} = {value!r} is refused", hint=f"allowed: {', '.join(arg.words) or 'text'}")
    return value


def _number(where: str, arg: Arg, value: object) -> object:
    if isinstance(value, list) and len(value) == 2:
        low, high = (_number(where, arg, each) for each in value)
        assert isinstance(low, Decimal | int) and isinstance(high, Decimal | int)
        if low > high:
            raise ConfigError(f"{where} = {value!r} is refused", hint="a range is written low, high")
        return (low, high)
    whole = arg.kind == "integer"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | Decimal):
        raise ConfigError(f"{where} = {value!r} is refused", hint="allowed: a whole number" if whole else "a number")
    if not Decimal(value).is_finite() or not arg.low <= value <= arg.high:
        raise ConfigError(f"{where} = {value} is refused", hint=f"allowed: {arg.low} to {arg.high}")
    return value if whole else Decimal(value)


def _of_type(where: str, value: object, kind: type, allowed: str) -> object:
    if not isinstance(value, kind):
        raise ConfigError(f"{where} = {value!r} is refused", hint=f"allowed: {allowed}")
    return value
