"""Translate the state into what health judges. Reads only; every unknown stays unknown."""

from collections.abc import Iterable
from decimal import Decimal
from functools import cache

from gridops.decide import budget, drawdown, exposure, sync
from gridops.decide.health_facts import HealthFacts, SymbolFacts
from gridops.decide.sync import Suspicion
from gridops.decide.words import BUY, UNKNOWN
from gridops.domain.market import Signal
from gridops.domain.orders import Order
from gridops.domain.rules import SyncRules
from gridops.domain.vocabulary import RESTING, MismatchKind, QueryKind, Severity
from gridops.runtime import protect
from gridops.runtime.state import EngineState, SymbolState

DAY_MS = 86_400_000
SAMPLE_MS = 1_000
_FREEZING = (MismatchKind.POSITION_QTY, MismatchKind.POSITION_SIDE, MismatchKind.LEVERAGE_CHANGED)
"""Confirmed at WARN they freeze their symbol, at CRITICAL they degrade. Modes have a condition of their own."""
_NAMED = (MismatchKind.LEVERAGE_CHANGED, MismatchKind.BALANCE_RESIDUAL)
"""Their figures are no lots."""


def equity(state: EngineState) -> Decimal | None:
    """Wallet by our ledger plus unrealised at the newest mark, in the settlement asset; None while unknown."""
    if not state.ledger.opened:
        return None
    asset = next(iter(state.symbols.values())).instrument.settle_asset
    total = state.ledger.wallet.get(asset, Decimal(0))
    for symbol in state.symbols.values():
        value = unrealised(symbol)
        if value is None:
            return None
        total += value
    return total


def unrealised(symbol: SymbolState) -> Decimal | None:
    """Open lots at the mark against what they cost, by our own books; None when there is a position and no mark."""
    if not symbol.trips.lots:
        return Decimal(0)
    mark = symbol.view.mark_ticks or symbol.view.bid_ticks
    if not mark:
        return None
    units = 0
    for lot in symbol.trips.lots:
        entry = lot.entry_units * lot.remaining // lot.lots if lot.lots else 0
        units += (mark * lot.remaining - entry) * lot.side.sign
    return symbol.instrument.unit * units


def micro(amount: Decimal) -> int:
    """Millionths of the settlement asset, for integer comparison."""
    return int(amount * 1_000_000)


@cache
def _cap_micro(cap: Decimal) -> int:
    return micro(cap)


def mark_ticks(symbol: SymbolState) -> int:
    return symbol.view.mark_ticks or (symbol.view.mid2_ticks + 1) // 2


def wce_units(symbol: SymbolState) -> int:
    venue = symbol.venue_lots if symbol.venue_lots_ms > symbol.last_fill_ms else None
    return exposure_sums(symbol).wce(symbol.position_lots, venue)


def exposure_sums(symbol: SymbolState, leave_out: SyncRules | None = None) -> exposure.ExposureSums:
    """Totals of every order that may still fill, and of every fill that is known of and not booked yet.

    An order can end by a reply before its trades reach us: they have happened, so they count until a read settles them.
    `leave_out`: without the exits that can do nothing any more and whose outcome the position read holds.
    """
    orders: Iterable[Order] = symbol.orders.values()
    if leave_out is not None:
        orders = [order for order in orders if not protect.spent(order, symbol, leave_out)]
    total = exposure.sums(orders, mark_ticks(symbol))
    _add_unbooked(symbol, total)
    return total


def unbooked_units(symbol: SymbolState) -> tuple[int, int]:
    """Of those fills alone: (bought, sold)."""
    total = exposure.ExposureSums(mark_ticks(symbol))
    _add_unbooked(symbol, total)
    return total.buy_units, total.sell_units


def _add_unbooked(symbol: SymbolState, total: exposure.ExposureSums) -> None:
    for client_id, lots in symbol.unbooked.items():
        order = symbol.closed.get(client_id)
        if order is not None:
            total.add_filled(order.side, lots, order.price_ticks)


def gather(state: EngineState) -> HealthFacts:
    """All facts as of the newest input."""
    health, wishes, reconciled = state.health, state.wishes, state.sync.reconciled_ms
    unknown, unknown_since = _unknown_orders(state)
    expiry = _signal_expiry(state)
    worst = {name: wce_units(symbol) for name, symbol in state.symbols.items()}
    facts = HealthFacts(
        symbols=[_symbol(state, symbol, worst[name]) for name, symbol in state.symbols.items()],
        kill_latched=wishes.killed,
        drawdown_latched=state.drawdown.latched,
        daily_drawdown=state.drawdown.daily_latched,
        day_ends_ms=state.now_ms + DAY_MS - state.venue_ms % DAY_MS,
        margin_ratio_bps=health.margin_ratio_bps if state.ledger.opened else None,
        stop=wishes.stop,
        operator_pause="operator" if wishes.paused else "",
        ack_requested=wishes.acked,
        ack_accepts_position=wishes.accept_position,
        flat_read_ms=_flat_read_ms(state),
        user_up=health.user_up,
        user_since_ms=health.user_since_ms or None,
        clock_offset_ms=health.clock_error_ms if health.clock_read_ms else None,
        filters_ms=health.rules_read_ms or None,
        orders_unknown=unknown,
        unknown_since_ms=unknown_since,
        reconcile_started_ms=reconciled or None,
        reconcile_ended_ms=state.sync.reconciled_end_ms if reconciled else None,
        journal_ok=health.journal_ok,
        disk_ok=health.disk_ok,
        evidence_ok=health.evidence_ok,
        lease_held=health.lease_held,
        lease_until_ms=health.lease_until_ms,
        foreign_writer=health.foreign_writer,
        banned_until_ms=health.banned_until_ms or None,
        auth_rejected=health.auth_rejected,
        venue_failures=health.venue_failures,
        fingerprint_ok=health.fingerprint_ok,
        modes_ok=health.modes_ok if state.ledger.opened else None,
        resumed=bool(health.resumed_ms) and reconciled < health.resumed_ms,
        loop_lag_ms=health.loop_lag_ms,
        loop_lag_seen_ms=health.loop_lag_seen_ms or None,
        invariant_broken=_contradiction(state),
        armed=state.identity.armed,
        leader=health.lease_held,
        feeds_ready=_feeds_ready(state),
        toxicity=_signal(state, "toxicity"),
        loss_streak=bool(_signal(state, "loss_streak")),
        maintenance=bool(_signal(state, "maintenance")),
        signals_expire_ms=expiry,
        account_wce=sum([micro(s.instrument.unit * worst[name]) for name, s in state.symbols.items()]),
        account_cap=_cap_micro(state.rules.risk.account_cap),
        budget_used_pct=budget.used_pct(state.budget, state.rules.budget, state.venue_ms),
        budget_frees_ms=None,
    )
    frees = budget.frees_ms(state.budget, state.venue_ms)
    if frees is not None:
        facts.budget_frees_ms = frees + state.now_ms - state.venue_ms
    return facts


def _feeds_ready(state: EngineState) -> bool:
    for symbol in state.symbols.values():
        if not symbol.view.has_book or not symbol.view.mark_ticks:
            return False
    return bool(state.symbols)


def _flat_read_ms(state: EngineState) -> int | None:
    if not state.symbols or not protect.all_flat(state):
        return None
    asked = min(symbol.venue_lots_ms for symbol in state.symbols.values())
    return asked + state.now_ms - state.venue_ms


def _unknown_orders(state: EngineState) -> tuple[int, int | None]:
    """How many the venue said nothing of, and since when the oldest is in doubt, for whatever reason.

    An order it refused to change because it is gone was answered for: a price that runs through several rungs at once
    makes as many of them, and the question that follows tells what became of each.
    """
    count, oldest = 0, None
    for name, symbol in state.symbols.items():
        if state.deadman[name].fired:
            # One condition says it of all of them.
            continue
        for order in symbol.orders.values():
            pending = order.pending
            lost = pending is not None and pending.unknown
            if lost or order.state is UNKNOWN:
                count += order.state is UNKNOWN or not (pending and pending.refused)
                since = pending.sent_ms if pending is not None and lost else order.created_ms
                oldest = since if oldest is None else min(oldest, since)
    return count, None if oldest is None else oldest + state.now_ms - state.venue_ms


def _live_signal(state: EngineState, name: str) -> Signal | None:
    signal = state.signals.get(name)
    if signal is None or signal.as_of_ms + signal.ttl_ms <= state.venue_ms:
        return None
    return signal


def _signal(state: EngineState, name: str) -> int | None:
    signal = _live_signal(state, name)
    return None if signal is None else signal.scaled


def _signal_expiry(state: EngineState) -> int | None:
    if not state.signals:
        return None
    live = [s for name in sorted(state.signals) if (s := _live_signal(state, name)) is not None]
    if not live:
        return None
    return min(s.as_of_ms + s.ttl_ms for s in live) + state.now_ms - state.venue_ms


def _symbol(state: EngineState, symbol: SymbolState, worst_units: int) -> SymbolFacts:
    view, instrument = symbol.view, symbol.instrument
    offset = state.venue_ms - state.now_ms
    spread = None
    if view.has_book:
        spread = (view.ask_ticks - view.bid_ticks) * 2_000_000 // view.mid2_ticks
    severity, detail = _mismatch(state, symbol.symbol)
    mark = mark_ticks(symbol)
    dead = state.deadman.get(symbol.symbol)
    return SymbolFacts(
        symbol=symbol.symbol,
        book_seen_ms=view.book_seen_ms or None,
        book_lag_ms=max(0, view.book_seen_ms + offset - view.book_event_ms) if view.book_event_ms else 0,
        mark_seen_ms=view.mark_seen_ms or None,
        mark_lag_ms=max(0, view.mark_seen_ms + offset - view.mark_event_ms) if view.mark_event_ms else 0,
        out_of_range=out_of_range(state, symbol),
        book_valid=view.has_book and symbol.symbol not in state.health.book_invalid,
        spread_cbps=spread,
        touch_alone=touch_alone(state, symbol),
        mismatch=severity,
        mismatch_detail=detail,
        deadman_fired=dead is not None and dead.fired,
        wce_units=worst_units,
        cap_units=instrument.units(state.rules.risk.symbol_cap),
        filled_units=abs(symbol.venue_lots) * mark if symbol.venue_lots_ms else None,
    )


def out_of_range(state: EngineState, symbol: SymbolState) -> bool:
    """The mid is outside the prices the grid may work at; an unknown price is no reason of this kind."""
    grid, mid2 = state.rules.grid, symbol.view.mid2_ticks
    if not (grid.low_price or grid.high_price) or not symbol.view.has_book:
        return False
    twice = symbol.instrument.tick_size * mid2
    below = bool(grid.low_price) and twice < grid.low_price * 2
    return below or (bool(grid.high_price) and twice > grid.high_price * 2)


def _contradiction(state: EngineState) -> str:
    """Our books against each other: the lots of open trips are the position. Empty when they agree."""
    for name, symbol in state.symbols.items():
        if symbol.position_known and symbol.trips.open_lots() != symbol.position_lots:
            return f"{name}: trips hold {symbol.trips.open_lots()} lots, the position is {symbol.position_lots}"
    return ""


def _wallet_is_wrong(known: Suspicion) -> bool:
    """Money that neither fills nor complete income explain concerns every symbol; below the limit it is only told."""
    return known.kind is MismatchKind.BALANCE_RESIDUAL and known.severity is Severity.CRITICAL and known.stands


def _mismatch(state: EngineState, name: str) -> tuple[Severity | None, str]:
    worst: Severity | None = None
    detail = ""
    if not state.sync.suspicions:
        return worst, detail
    for known in state.sync.suspicions.values():
        concerns = (known.symbol == name and known.kind in _FREEZING) or _wallet_is_wrong(known)
        if known.confirmed and concerns and worst is not Severity.CRITICAL:
            named = "" if known.kind not in _NAMED else f"{known.kind} "
            worst, detail = known.severity, f"{named}local {known.local}, venue {known.venue}"
    return worst, detail


def sample(state: EngineState) -> None:
    """The look at what has no input of its own: equity, and once a second who makes the touch."""
    sample_drawdown(state)
    if state.now_ms >= state.sampled_ms + SAMPLE_MS:
        # Not at an order's report: the book still shows what was just filled.
        for symbol in state.symbols.values():
            alone = symbol.view.has_book and _makes_a_touch(symbol)
            symbol.alone_since_ms = (symbol.alone_since_ms or state.now_ms) if alone else 0
        state.sampled_ms = state.now_ms


def touch_alone(state: EngineState, symbol: SymbolState) -> bool:
    """Own orders have made a touch alone for so long that the spread shown says nothing about the market's."""
    since_ms = symbol.alone_since_ms
    return bool(since_ms) and state.now_ms - since_ms >= state.rules.health.alone_ms


def _makes_a_touch(symbol: SymbolState) -> bool:
    """Whether one of the two touches shows no more than the size of own orders there, a fill under way or not."""
    view = symbol.view
    bid, ask = view.bid_ticks, view.ask_ticks
    bid_lots = ask_lots = 0
    for order in symbol.orders.values():
        price = order.price_ticks
        if (price != bid and price != ask) or order.state not in RESTING:
            continue
        if order.side is BUY:
            bid_lots += order.lots if price == bid else 0
        elif price == ask:
            ask_lots += order.lots
    return bid_lots >= view.bid_lots or ask_lots >= view.ask_lots


def sample_drawdown(state: EngineState) -> None:
    """Feed the newest equity into the drawdown series, at most once a second, and ask the venue when it looks bad."""
    state.drawdown = drawdown.roll_day(state.drawdown, state.venue_ms)
    now = equity(state)
    marks = [symbol.view.mark_event_ms for symbol in state.symbols.values()]
    if now is None or not marks or not min(marks):
        return
    state.drawdown = drawdown.sample(
        state.drawdown,
        micro(now),
        mark_event_ms=max(marks),
        now_ms=state.now_ms,
        wall_ms=state.venue_ms,
        rules=state.rules.risk,
    )
    if drawdown.wants_read(state.drawdown):
        sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms)
