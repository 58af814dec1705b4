"""What the router must answer about one level, worked out from the case's text by definition.

A second opinion for the decision table: it reads the raw mapping, counts money in decimals, and shares no line with the
router. Its domain is a single level of limit orders: at most one target and one order, on one side.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

TICK, STEP = Decimal("0.1"), Decimal("0.001")
PAIRS = ("immutable_field", "target_at_or_below_filled", "amend_unsupported", "amend_limit")
ENDED = ("FILLED", "CANCELED", "REJECTED", "EXPIRED", "FAILED")
ROOM_GATES = ("exposure", "pending", "reduce_only", "self_cross")
Choice = list[Any]


class OutOfDomain(Exception):
    """The case is about more than one level of limit orders."""


@dataclass
class Facts:
    """A case with every default written out."""

    target: dict[str, Any] | None
    order: dict[str, Any] | None
    ctx: dict[str, Any]
    rules: dict[str, Any] = field(default_factory=dict)
    instrument: dict[str, Any] = field(default_factory=dict)

    @property
    def buying(self) -> bool:
        return bool((self.target or self.order or {})["level"] < 0)

    @property
    def rest(self) -> int:
        return 0 if self.order is None else int(self.order["lots"] - self.order["filled"])

    @property
    def same_kind(self) -> bool:
        """May an amend turn one into the other?"""
        assert self.target is not None and self.order is not None
        return all(self.target[name] == self.order[name] for name in ("ro", "tif"))

    @property
    def waiting(self) -> bool:
        return self.target is not None and self.target["wait"] > self.ctx["now_ms"]

    @property
    def wanted(self) -> int:
        """Lots wanted to rest; a rung that waits for its refill is not topped up meanwhile."""
        assert self.target is not None
        lots = int(self.target["lots"])
        return min(lots, self.rest) if self.waiting and self.order is not None else lots


def read(raw: dict[str, Any]) -> Facts:
    """OutOfDomain for anything but one level of limit orders."""
    targets, orders = raw.get("targets", []), raw.get("orders", [])
    ctx = {
        "bid_ticks": 9_999, "ask_ticks": 10_001, "mark_ticks": 10_000, "position_lots": 0, "venue_position_lots": 0,
        "spacing_ticks": 20, "cap_units": 100_000_000, "account_cap_units": 100_000_000, "now_ms": 1_000_000,
        "other_units": 0, "order_slots": 1_000, "rate_low": False, "allow_increase": True, "sweep": None,
        "orphans": [], "refused": [], "replacing": {}, "refuse": {}, "unbooked_units": (0, 0), **raw.get("ctx", {}),
    }  # fmt: skip
    if len(targets) > 1 or len(orders) > 1 or not targets + orders or ctx["unbooked_units"] != (0, 0):
        raise OutOfDomain
    target = {"ro": False, "tif": "GTX", "wait": 0, **targets[0]} if targets else None
    order = None
    if orders:
        order = {"ro": False, "tif": "GTX", "filled": 0, "filled_ms": 0, "amends": 0, "pending": None, **orders[0]}
        order.setdefault("state", "PARTIAL" if order["filled"] else "OPEN")
        order = None if order["state"] in ENDED else order
    both = [each for each in (target, order) if each is not None]
    if any("side" in each or "kind" in each or not each["level"] for each in both):
        raise OutOfDomain
    if len({each["level"] for each in both}) > 1:
        raise OutOfDomain
    rules = {
        "hold_band_pct": 100, "hold_lots_pct": 20, "amend_supported": True, "amend_headroom": 10,
        "refusals_before_probe": 3, "partial_settle_ms": 200, **ctx.get("rules", {}),
    }  # fmt: skip
    instrument = {
        "min_price_ticks": 10, "max_price_ticks": 10_000_000, "min_lots": 1, "max_lots": 100_000,
        "min_notional": Decimal(5), "percent_up": Decimal("1.05"), "percent_down": Decimal("0.95"),
        "max_amends": 10_000, "trading": True, **ctx.get("instrument", {}),
    }  # fmt: skip
    return Facts(target, order, ctx, rules, instrument)


def expected(raw: dict[str, Any]) -> dict[str, list[Choice]]:
    """Choices and operations as the fixture writes them."""
    case = read(raw)
    choices: list[Choice] = []
    ops: list[Choice] = []
    for part in _parts(case):
        decision, reason = _decide(part)
        if decision != "noop":
            reason_stopped = _stopped(part, decision, reason)
            if reason_stopped:
                decision, reason = "noop", reason_stopped
            else:
                ops += _operations(part, decision, reason)
        choices.append([(part.target or part.order or {})["level"], decision, reason])
    return {"choices": sorted(choices), "ops": ops}


def _parts(case: Facts) -> list[Facts]:
    """A target and an order are judged together unless the target waits for something this order cannot give it."""
    target, order = case.target, case.order
    if case.ctx["sweep"] is not None:
        target = None
    if target is None or order is None:
        return [Facts(target, order, case.ctx, case.rules, case.instrument)] if target or order else []
    leaving = order["pending"] is not None and order["pending"][0] == "cancel"
    if case.waiting:
        kept = _near(case) and _sized(case, case.target["lots"] if case.target else 0)
        together = not leaving and case.same_kind and (kept or order["filled"] > 0)
        if not together:
            return [
                Facts(target, None, case.ctx, case.rules, case.instrument),
                Facts(None, order, case.ctx, case.rules, case.instrument),
            ]
    return [case]


def _near(case: Facts) -> bool:
    """Compared with where the order will rest if the amend under way takes effect."""
    assert case.target is not None and case.order is not None
    pending = case.order["pending"]
    price = pending[1] if pending is not None and pending[0] == "amend" else case.order["price"]
    return bool(abs(case.target["price"] - price) * 100 <= case.ctx["spacing_ticks"] * case.rules["hold_band_pct"])


def _sized(case: Facts, wanted: int) -> bool:
    return bool(Decimal(abs(case.rest - wanted)) <= Decimal(wanted) * case.rules["hold_lots_pct"] / 100)


def _decide(case: Facts) -> tuple[str, str]:
    if case.order is not None:
        found = _by_order(case, case.order)
        if found is not None:
            return found
    if case.target is None:
        return "cancel_replace", "surplus_level"
    return _by_pair(case) if case.order is not None else _by_target(case)


def _by_order(case: Facts, order: dict[str, Any]) -> tuple[str, str] | None:
    """What the order's own state settles, whatever is wanted."""
    pending, ctx = order["pending"], case.ctx
    flying = pending is not None or order["state"] in ("INTENT", "SENT")
    if ctx["sweep"] is not None and not flying:
        return "cancel_replace", str(ctx["sweep"])
    if order["state"] == "UNKNOWN" or (pending is not None and len(pending) > 3 and pending[3]):
        return "noop", "frozen_unknown"
    if flying:
        return "noop", "frozen_in_flight"
    if order["id"] in ctx["orphans"]:
        return "cancel_replace", "orphan"
    if not ctx["allow_increase"] and not order["ro"]:
        return "cancel_replace", "state_forbids"
    return None


def _by_target(case: Facts) -> tuple[str, str]:
    assert case.target is not None
    if case.waiting:
        return "noop", "refill_wait"
    barred = _barred(case)
    if barred:
        return "noop", barred
    due = str(case.target["level"]) in {str(level) for level in case.ctx["replacing"]}
    return "cancel_replace", "replacement" if due else "new_level"


def _by_pair(case: Facts) -> tuple[str, str]:
    target, order, rules = case.target, case.order, case.rules
    assert target is not None and order is not None
    same, rest, wanted = case.same_kind, case.rest, case.wanted
    excess = order["ro"] and rest > _reducible(case)
    exact = same and order["price"] == target["price"] and rest == wanted
    held = same and _near(case) and _sized(case, wanted) and not (excess and rest > wanted)
    if case.waiting and held:
        return "noop", "refill_wait"
    if exact:
        return "noop", "unchanged"
    if held:
        return "noop", "within_hold_band"
    fresh = order["filled"] and case.ctx["now_ms"] - order["filled_ms"] < rules["partial_settle_ms"]
    if fresh and not excess:
        return "noop", "partial_in_flight"
    if _takes(case):
        return "cancel_replace", "post_only_would_cross"
    barred = _barred(case)
    if barred:
        return "noop", barred
    shrinks = same and order["price"] == target["price"] and wanted <= rest
    if case.ctx["rate_low"] and not target["ro"] and not shrinks:
        return "noop", "deferred_budget"
    if not same:
        return "cancel_replace", "immutable_field"
    if 0 < order["filled"] >= wanted:
        return "cancel_replace", "target_at_or_below_filled"
    if not rules["amend_supported"]:
        return "cancel_replace", "amend_unsupported"
    if case.instrument["max_amends"] - order["amends"] <= rules["amend_headroom"]:
        return "cancel_replace", "amend_limit"
    return "amend", "size_changed" if _near(case) else "outside_hold_band"


def _barred(case: Facts) -> str:
    """Why the venue would refuse what is wanted, or is known to."""
    assert case.target is not None
    if _takes(case):
        return "blocked_post_only"
    if _filtered(case):
        return "blocked_filter"
    side = "BUY" if case.buying else "SELL"
    for level, of_side, times, probe_ms in case.ctx["refused"]:
        if (level, of_side) == (case.target["level"], side) and times >= case.rules["refusals_before_probe"]:
            return "deferred_refused" if case.ctx["now_ms"] < probe_ms else ""
    return ""


def _takes(case: Facts) -> bool:
    """A post-only order that meets the best price of the other side is refused (-5022)."""
    assert case.target is not None
    bid, ask, price = case.ctx["bid_ticks"], case.ctx["ask_ticks"], case.target["price"]
    if case.target["tif"] != "GTX":
        return False
    return bool(not 0 < bid < ask or (price >= ask if case.buying else price <= bid))


def _filtered(case: Facts) -> bool:
    """PRICE_FILTER, LOT_SIZE on the total, MIN_NOTIONAL on what would rest, PERCENT_PRICE; in decimals."""
    target, limits = case.target, case.instrument
    assert target is not None
    filled = case.order["filled"] if case.order is not None and case.same_kind else 0
    price, lots = target["price"] * TICK, case.wanted * STEP
    mark = case.ctx["mark_ticks"] * TICK
    if not limits["trading"] or lots <= 0 or case.wanted < limits["min_lots"]:
        return True
    if case.wanted + filled > limits["max_lots"]:
        return True
    if not limits["min_price_ticks"] <= target["price"] <= limits["max_price_ticks"]:
        return True
    if not target["ro"] and price * lots < Decimal(str(limits["min_notional"])):
        return True
    if case.buying:
        return bool(price > mark * Decimal(str(limits["percent_up"])))
    return bool(price < mark * Decimal(str(limits["percent_down"])))


def _positions(case: Facts) -> tuple[int, int]:
    own, venue = case.ctx["position_lots"], case.ctx["venue_position_lots"]
    return own, own if venue is None else venue


def _reducible(case: Facts) -> int:
    """Lots that both position figures show as open against this side."""
    signed = [-held if case.buying else held for held in _positions(case)]
    return max(0, min(signed))


def _worth(case: Facts, price: int, lots: int) -> int:
    return int(lots * max(price, case.ctx["mark_ticks"]))


def _reach(case: Facts, units: int) -> int:
    """Worst exposure on this side with so many units resting on it."""
    sign = 1 if case.buying else -1
    return int(max(sign * held * case.ctx["mark_ticks"] for held in _positions(case)) + units)


def _stopped(case: Facts, decision: str, reason: str) -> str:
    """What keeps a needed change from leaving: a gate, the cap, reduce-only room, the budget."""
    refuse, target, order = case.ctx["refuse"], case.target, case.order
    cancels = order is not None and decision == "cancel_replace"
    writes = target is not None and (order is None or decision == "amend" or reason in PAIRS)
    if cancels and "cancel" in refuse:
        return "blocked_gate"
    if not writes or target is None:
        return ""
    old = _worth(case, order["price"], case.rest) if order is not None else 0
    new = _worth(case, target["price"], case.wanted)
    old_reduce = case.rest if order is not None and order["ro"] else 0
    new_reduce = case.wanted if target["ro"] else 0
    if decision == "amend" and new < old and new_reduce > old_reduce:
        new = old
    no_room = new_reduce > old_reduce and new_reduce > _reducible(case)
    limit = min(case.ctx["cap_units"], case.ctx["account_cap_units"] - case.ctx["other_units"])
    if new > old and _reach(case, new) > limit:
        return "blocked_gate"
    intent = _intent(case, decision)
    if new > old and intent == "reduce" and "increase" in refuse:
        held = max(abs(each) for each in _positions(case)) * case.ctx["mark_ticks"]
        no_room = no_room or _reach(case, new) > max(_reach(case, old), held)
    gate = refuse.get(intent)
    if gate is not None and (gate not in ROOM_GATES or not cancels):
        # Room asked for by a gate is made by the cancel of the same pair; nothing else of one level makes any.
        return "deferred_sequence" if gate in ROOM_GATES and no_room else "blocked_gate"
    if no_room:
        return "deferred_sequence"
    return "deferred_budget" if intent == "increase" and case.ctx["order_slots"] <= 0 else ""


def _intent(case: Facts, decision: str) -> str:
    """Reduce-only reduces while there is something to reduce; a smaller amend in place does too."""
    target, order = case.target, case.order
    assert target is not None
    if target["ro"] and _reducible(case) > 0:
        return "reduce"
    smaller = order is not None and case.same_kind and order["price"] == target["price"] and case.wanted <= case.rest
    return "reduce" if decision == "amend" and smaller else "increase"


def _operations(case: Facts, decision: str, reason: str) -> list[Choice]:
    target, order = case.target, case.order
    level = (target or order or {})["level"]
    if decision == "amend":
        assert target is not None and order is not None
        return [["amend", level, target["price"], case.wanted + order["filled"], []]]
    ops: list[Choice] = []
    if order is not None:
        ops.append(["cancel", level, order["price"], 0, []])
    if target is not None and (order is None or reason in PAIRS):
        ops.append(["place", level, target["price"], case.wanted, [0] if ops else []])
    return ops
