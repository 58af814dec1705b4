"""The vocabulary of faults: every verb, when it acts, the arguments it takes and their types.

Sits under the fault plan. A verb acts on one request, on one stream event, or once at its time.
"""

REQUEST_VERBS: dict[str, frozenset[str]] = {
    "rest.http": frozenset({"status", "body", "code", "msg", "headers"}),
    "rest.apply_then_http": frozenset({"status", "body", "code", "msg", "headers"}),
    "rest.delay": frozenset({"ms"}),
    "rest.delay_resp": frozenset({"ms"}),
    "rest.drop_req": frozenset(),
    "rest.drop_resp": frozenset(),
    "rest.html": frozenset({"status"}),
    "rest.trunc": frozenset({"bytes"}),
    "rest.overload": frozenset(),
    "rest.stale_read": frozenset({"lag_ms"}),
    "rest.partial": frozenset({"rows"}),
    "rest.mutate": frozenset({"field", "value", "drop"}),
    "venue.reject": frozenset({"code", "msg", "status"}),
    "venue.fill": frozenset({"point", "lots"}),
    "venue.forget": frozenset({"client_id"}),
    "venue.maintenance": frozenset(),
}
"""Verbs that hit one request, and the arguments each takes."""
EVENT_VERBS: dict[str, frozenset[str]] = {
    "ws.drop": frozenset(),
    "ws.dup": frozenset(),
    "ws.delay": frozenset({"ms"}),
    "ws.reorder": frozenset(),
    "ws.mutate": frozenset({"field", "value", "drop"}),
    "ws.ack_no_data": frozenset(),
    "ws.cut": frozenset({"ms"}),
}
"""Verbs that hit one stream event; a subscription counts as the event SUBSCRIBE, a socket that opens as OPEN."""
ACTION_VERBS: dict[str, frozenset[str]] = {
    "ws.silent": frozenset({"target"}),
    "ws.unmute": frozenset({"target"}),
    "ws.halfopen": frozenset({"target"}),
    "ws.close": frozenset({"target", "code"}),
    "ws.flood": frozenset({"target", "count"}),
    "ws.expire_key": frozenset({"silent"}),
    "rest.ban": frozenset({"ms"}),
    "clock.skew": frozenset({"ms"}),
    "clock.step": frozenset({"ms"}),
    "clock.pause": frozenset(),
    "clock.resume": frozenset(),
    "market.pause": frozenset(),
    "market.resume": frozenset(),
    "venue.external": frozenset(
        {"what", "side", "quantity", "price", "asset", "amount", "leverage", "dual", "client_id", "position_side"}
    ),
    "venue.liquidate": frozenset(),
    "venue.adl": frozenset({"lots"}),
    "venue.funding": frozenset({"rate"}),
    "venue.filter": frozenset({"name", "value"}),
    "venue.status": frozenset({"state"}),
    "venue.mark": frozenset({"path"}),
    "venue.mark_release": frozenset(),
    "venue.book": frozenset({"shape"}),
    "venue.book_release": frozenset(),
}
"""Verbs that happen once, at their time; symbol and account come from the selector, else the first there is."""
ALIASES = {"expire_key": "ws.expire_key", "ban": "rest.ban", "ws.gap": "ws.drop", "unmute": "ws.unmute"}

ARG_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("status", "code", "ms", "bytes", "lag_ms", "rows", "lots", "count", "leverage"), int),
    **dict.fromkeys(("body", "msg", "target", "field", "point", "client_id", "what", "side", "quantity", "price"), str),
    **dict.fromkeys(("asset", "amount", "rate", "name", "state", "shape", "position_side"), str),
    **dict.fromkeys(("silent", "drop", "dual"), bool),
    "headers": dict,
    "path": list,
    "value": (str, int, float, bool, type(None)),
}
CHOICES: dict[str, tuple[str, ...]] = {
    "target": ("market", "user", "ws_api", "all"),
    "point": ("before", "after"),
    "what": ("order", "close", "cancel", "transfer", "leverage", "mode"),
    "shape": ("empty", "thin", "crossed"),
    "name": (
        "tick_size", "step_size", "min_qty", "max_qty", "market_max_qty", "min_notional", "multiplier_up",
        "multiplier_down", "max_num_orders", "move_order_limit",
    ),
}  # fmt: skip
