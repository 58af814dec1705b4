"""Panels of the ladder: working orders against what was last decided for each rung, and the router's decisions."""

from decimal import Decimal
from itertools import islice

from textual.content import Content

from gridops.domain.orders import Order
from gridops.domain.records import Decided
from gridops.domain.vocabulary import Decision, FsmState, OrderState, Side
from gridops.runtime import facts
from gridops.runtime.state import SymbolState
from gridops.tui.figures import queue_bound
from gridops.tui.history import Entry
from gridops.tui.panels.scene import Scene, nothing
from gridops.tui.text import BAD, GOOD, MUTED, STRONG, WARN, Drawn, Part, age, clock, columns, line, since
from gridops.usecases.explain import cost_text, why

_QUIET = (OrderState.OPEN, OrderState.PARTIAL)
_QUOTING = (FsmState.ACTIVE, FsmState.THROTTLED)
_WIDE = 100
_ROOM_FOR_WHY = 5
_FRESH_MS = 10_000
"""An unchanged decision is not said again: an older target is marked `~`."""
_DECISION_STYLES = {Decision.AMEND: "$text-accent", Decision.CANCEL_REPLACE: WARN, Decision.NOOP: MUTED}


def ladder(scene: Scene) -> Drawn:
    """Rungs around the mid, nearest first when there is not room for all."""
    symbol = scene.symbol
    if symbol is None:
        return nothing(scene, "unknown: no data")
    head = [_market(symbol), _titles()]
    room = max(2, scene.height - len(head) - 1)
    orders = [order for order in symbol.orders.values() if order.live]
    sells = sorted((o for o in orders if o.side is Side.SELL), key=lambda o: o.price_ticks)
    buys = sorted((o for o in orders if o.side is Side.BUY), key=lambda o: -o.price_ticks)
    above = min(len(sells), max(room // 2, room - len(buys)))
    below = room - above
    missing = _missing(scene, symbol, {order.level for order in orders})
    lines = [*head, *(_rung(scene, symbol, o) for o in reversed(sells[:above])), _middle(scene, symbol, missing)]
    lines += [_rung(scene, symbol, o) for o in buys[:below]]
    return Drawn(lines=tuple(lines[: scene.height]), age_ms=scene.boot_age_ms(symbol.view.book_seen_ms))


def _market(symbol: SymbolState) -> Content:
    view, price = symbol.view, symbol.instrument.price
    spread = view.ask_ticks - view.bid_ticks
    spacing = symbol.grid.spacing_cbps
    return line(
        (f"{price(view.bid_ticks)} × {price(view.ask_ticks)}", STRONG),
        (f"  mark {price(facts.mark_ticks(symbol))}  spread {spread} t", MUTED),
        f"  {symbol.regime.regime}",
        (f"  {Decimal(spacing) / 100:.1f} bps × {symbol.instrument.quantity(symbol.rung_lots)}", MUTED),
    )


def _titles() -> Content:
    cells: list[tuple[Part, int]] = [
        (("rung", MUTED), -4), (("side", MUTED), 5), (("working", MUTED), -9), (("desired", MUTED), -9),
        (("qty", MUTED), -8), (("filled", MUTED), -7), (("state", MUTED), 8), (("age", MUTED), -8),
        (("queue", MUTED), 0),
    ]  # fmt: skip
    return columns(cells)


def _rung(scene: Scene, symbol: SymbolState, order: Order) -> Content:
    price, quantity = symbol.instrument.price, symbol.instrument.quantity
    side_style = GOOD if order.side is Side.BUY else BAD
    desired, desired_style = _desired(scene, symbol, order)
    return columns(
        [
            (f"{order.level:+d}", -4),
            ((order.side.lower() + ("!" if order.reduce_only else ""), side_style), 5),
            ((str(price(order.price_ticks)), STRONG), -9),
            ((desired, desired_style), -9),
            (str(quantity(order.lots)), -8),
            (str(quantity(order.filled_lots)) if order.filled_lots else "-", -7),
            (_order_state(order), 8),
            (age(scene.venue_age_ms(order.updated_ms or order.created_ms)), -8),
            (_queue(symbol, order), 0),
        ]
    )


def _desired(scene: Scene, symbol: SymbolState, order: Order) -> tuple[str, str]:
    """Target of the newest decision about this rung, as the difference to the working price in ticks."""
    entry = scene.model.history.last_choice.get((symbol.symbol, order.level))
    if entry is None or not entry.said.choice.to_ticks:
        return "?", MUTED
    away = entry.said.choice.to_ticks - order.price_ticks
    fresh = scene.now_ms - entry.at_ms < _FRESH_MS
    word = "=" if away == 0 else f"{away:+d} t"
    return word if fresh else f"~{word}", WARN if away and fresh else MUTED


def _order_state(order: Order) -> Part:
    pending = order.pending
    if pending is not None:
        return (f"{pending.kind}?", BAD) if pending.unknown else (f"{pending.kind}…", WARN)
    if order.state in _QUIET:
        return order.state.lower(), MUTED
    return order.state.lower(), BAD if order.state is OrderState.UNKNOWN else WARN


def _queue(symbol: SymbolState, order: Order) -> Part:
    ahead = queue_bound(symbol, order)
    return ("?", MUTED) if ahead is None else f"≤{symbol.instrument.quantity(ahead)} ahead"


def _missing(scene: Scene, symbol: SymbolState, working: set[int]) -> int:
    """Rungs whose newest decision wants an order that is not there: filled, refused, or about to be placed."""
    wanted = [
        entry.said.choice
        for (name, level), entry in scene.model.history.last_choice.items()
        if name == symbol.symbol and level not in working
    ]
    return sum(1 for choice in wanted if choice.to_lots > 0)


def _middle(scene: Scene, symbol: SymbolState, missing: int) -> Content:
    working = sum(1 for order in symbol.orders.values() if order.live)
    held = symbol.instrument.quantity(symbol.position_lots)
    text = f" mid {symbol.instrument.price(1) * symbol.view.mid2_ticks / 2}  position {held}  working {working}"
    if missing and scene.state is not None and scene.state.fsm.state in _QUOTING:
        text += f"  bare {missing}"
    return line((f"──{text} ".ljust(max(20, scene.width), "─"), "$text-primary"))


def decisions(scene: Scene) -> Drawn:
    """Router decisions, newest first, each with its reason and cost."""
    history = scene.model.history
    if scene.state is None:
        return nothing(scene, "unknown: no data")
    if not history.decisions:
        return nothing(scene, "no decision in the rows looked at")
    newest = history.decisions[-1]
    lines = [_totals(scene)] if scene.height > 4 else []
    lines += _newest_why(scene, newest) if scene.height > _ROOM_FOR_WHY else []
    # Only what has room is made: the ring holds many screens of decisions, and this is drawn five times a second.
    room = max(0, scene.height - len(lines))
    lines += [_decision(scene, entry) for entry in islice(reversed(history.decisions), room)]
    return Drawn(lines=tuple(lines[: scene.height]), age_ms=since(newest.at_ms, scene.now_ms))


def _newest_why(scene: Scene, entry: Entry[Decided]) -> list[Content]:
    """Why the newest decision and not the one that came second. Figures are those of the newest state."""
    choice, state = entry.said.choice, scene.state
    if state is None or choice.symbol not in state.symbols:
        return []
    other = choice.runner_up
    second = "nothing else was open" if other is None else f"not {other}"
    spared = "" if choice.runner_up_cost is None else f": {cost_text(choice.runner_up_cost)}"
    return [
        line((f"{choice.level:+d} {choice.decision}", _DECISION_STYLES[choice.decision]), f": {why(choice, state)}"),
        line((f"   {second}{spared}", MUTED)),
    ]


def _totals(scene: Scene) -> Content:
    state = scene.state
    assert state is not None
    parts: list[Part] = [("this journal: ", MUTED)]
    for decision in Decision:
        count = sum(n for name, n in state.counters.decisions.items() if name.startswith(f"{decision}/"))
        parts += [(f"{decision} {count}  ", _DECISION_STYLES[decision])]
    sent = "  ".join(f"{kind} {count}" for kind, count in sorted(state.counters.ops.items()))
    return line(*parts, (f"sent: {sent or 'nothing'}", MUTED))


def _decision(scene: Scene, entry: Entry[Decided]) -> Content:
    choice = entry.said.choice
    state = scene.state
    symbol = None if state is None else state.symbols.get(choice.symbol)
    reason = f"{choice.reason}" + (f" ({choice.gate})" if choice.gate else "")
    return columns(
        [
            ((clock(entry.at_ms), MUTED), 8),
            (f"{choice.level:+d}", -4),
            ((choice.decision, _DECISION_STYLES[choice.decision]), 14),
            (reason, 26 if scene.width >= _WIDE else 17),
            (_move(choice.from_ticks, choice.to_ticks, symbol), 15),
            ((_cost(entry), MUTED), 0),
        ]
    )


def _move(from_ticks: int, to_ticks: int, symbol: SymbolState | None) -> str:
    if symbol is None:
        return f"{from_ticks}→{to_ticks} t"
    price = symbol.instrument.price
    if from_ticks and to_ticks:
        return str(price(to_ticks)) if from_ticks == to_ticks else f"{price(from_ticks)}→{price(to_ticks)}"
    return f"→{price(to_ticks)}" if to_ticks else f"{price(from_ticks)}→"


def _cost(entry: Entry[Decided]) -> str:
    """Calls, weight, order count, time without an order, queue place in lots; only what is not zero."""
    cost = entry.said.choice.cost
    spent = ((cost.calls, "c"), (cost.weight, "w"), (cost.orders, "o"), (cost.bare_ms, "ms"), (cost.queue_lots, "q"))
    retry = entry.said.choice.retry_ms
    return (" ".join(f"{n}{unit}" for n, unit in spent if n) or "free") + (f" retry {clock(retry)}" if retry else "")
