"""Fold one input into the state. Together with `commit` this is the only code that changes it.

`observe` dispatches; the parts with more to say live beside it: fills, orders, reads.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from gridops.decide import budget, deadman, fsm, regime, sync, volatility
from gridops.decide.levels import rebase
from gridops.decide.queue_place import UNSEEN, Touch, lots_ahead
from gridops.decide.words import BUY, OPEN, PARTIAL
from gridops.domain.events import (
    AccountReport,
    Boot,
    BudgetSeen,
    Event,
    Header,
    LeaseSeen,
    LoopReport,
    MarketEnded,
    OperatorInput,
    OrderReport,
    QueryReply,
    SignalChanged,
    SinkReport,
    StopSignal,
    StreamChanged,
    VenueNotice,
    ViewChanged,
    Woke,
    WriteReply,
)
from gridops.domain.market import MarketView
from gridops.domain.orders import Order
from gridops.domain.vocabulary import (
    FsmReason,
    OperatorCommand,
    OpKind,
    OrderState,
    QueryKind,
    Severity,
    Stream,
    VenueCode,
    WriteOutcome,
)
from gridops.runtime import observe_orders, observe_reads, remedy, replies
from gridops.runtime.out import Out
from gridops.runtime.state import NO_EXPIRY, EngineState, Health, Identity, SymbolState, Wishes


def observe(state: EngineState, header: Header, event: Event, out: Out) -> None:
    """Take one input in; say what it changed."""
    _clock(state, header)
    match event:
        case ViewChanged():
            _view(state, event.view, out)
        case OrderReport():
            observe_orders.on_report(state, event, out)
        case WriteReply():
            _write(state, event, out)
        case QueryReply():
            observe_reads.on_query(state, event, out)
        case AccountReport():
            _account(state, event, out)
        case BudgetSeen():
            _budget(state, event, out)
        case StreamChanged():
            _stream(state, event, out)
        case OperatorInput():
            _operator(state, event, out)
        case StopSignal():
            _stop(state, FsmReason.SIGNAL)
        case MarketEnded():
            _stop(state, FsmReason.MARKET_ENDED)
        case LeaseSeen():
            state.health.lease_held = event.held and event.epoch == state.identity.epoch
            state.health.lease_until_ms = event.valid_until_ms or NO_EXPIRY
        case SinkReport():
            _sink(state, event)
        case LoopReport():
            _loop(state, event, out)
        case SignalChanged():
            state.signals[event.signal.name] = event.signal
            _all_dirty(state)
        case VenueNotice():
            _notice(state, event, out)
        case Boot():
            _boot(state, header, event)
        case Woke():
            pass
        case _:
            assert_never(event)


def fold_tick(state: EngineState, header: Header, view: MarketView) -> None:
    """The same for a view that has a book, of a symbol that is known, and no older than the one before."""
    _clock(state, header)
    _fold(state, state.symbols[view.symbol], view)


def _clock(state: EngineState, header: Header) -> None:
    now_ms = header.boot_ns // 1_000_000
    if header.boot_id == state.identity.boot_id:
        # A wall clock that is set must not end a ban early: its end keeps its distance on the clock nobody sets.
        set_ms = header.venue_ms - state.venue_ms - (now_ms - state.now_ms)
        budget.clock_set(state.budget, set_ms, state.venue_ms)
    state.seq = header.seq
    state.now_ms = now_ms
    state.venue_ms = header.venue_ms
    state.wall_ms = header.wall_ms


def _all_dirty(state: EngineState) -> None:
    for symbol in state.symbols.values():
        symbol.dirty = True


def _view(state: EngineState, view: MarketView, out: Out) -> None:
    symbol = state.symbols.get(view.symbol)
    if symbol is None:
        return
    known = symbol.view
    if view.book_event_ms < known.book_event_ms:
        out.note(
            "time_regression",
            Severity.WARN,
            f"{view.symbol} book time fell by {known.book_event_ms - view.book_event_ms} ms",
        )
        return
    if view.has_book:
        _fold(state, symbol, view)
    else:
        symbol.view = view


def _fold(state: EngineState, symbol: SymbolState, view: MarketView) -> None:
    _queues(symbol.orders.values(), symbol.view, view)
    symbol.view = view
    volatility.observe_mid(symbol.volatility, view.bid_ticks + view.ask_ticks, view.book_event_ms)
    if state.health.book_invalid:
        state.health.book_invalid.pop(view.symbol, None)


def _queues(orders: Iterable[Order], known: MarketView, view: MarketView) -> None:
    """What stands before the orders at the touch, by what the two views and the trades between them show."""
    bid, ask = view.bid_ticks, view.ask_ticks
    for order in orders:
        price = order.price_ticks
        if price != bid and price != ask:
            continue
        if order.side is BUY and price == bid:
            before, now = Touch(known.bid_ticks, known.bid_lots), Touch(bid, view.bid_lots)
            traded = view.sold_lots
        elif order.side is not BUY and price == ask:
            before, now = Touch(known.ask_ticks, known.ask_lots), Touch(ask, view.ask_lots)
            traded = view.bought_lots
        else:
            continue
        if order.state is OPEN or order.state is PARTIAL:
            ahead = order.ahead_lots if order.ahead_ticks == price else UNSEEN
            order.ahead_lots, order.ahead_ticks = lots_ahead(ahead, order.remaining, before, now, traded), price


def _account(state: EngineState, report: AccountReport, out: Out) -> None:
    """Balances here are the venue's word; the ledger moves by fills and income rows, so this is only compared."""
    for balance in report.balances:
        state.ledger.venue_wallet[balance.asset] = balance.wallet
    out.expected = report.reason == "ORDER"
    if not out.expected:
        sync.want(state.sync, QueryKind.INCOME, "", state.now_ms, after_ms=300)
        sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms, after_ms=300)
        out.note("account_update", Severity.INFO, report.reason[:60])


def _budget(state: EngineState, seen: BudgetSeen, out: Out) -> None:
    budget.seen(state.budget, seen, state.venue_ms)
    if seen.banned:
        until_ms = state.budget.banned_until_ms + state.now_ms - state.venue_ms
        state.health.banned_until_ms = max(state.health.banned_until_ms, until_ms)
        out.note("rate_banned", Severity.CRITICAL, f"retry after {seen.retry_after_ms} ms")


def _stream(state: EngineState, change: StreamChanged, out: Out) -> None:
    out.note(
        "stream", Severity.INFO if change.up else Severity.WARN, f"{change.stream} up={change.up} {change.detail[:120]}"
    )
    if change.stream is Stream.USER:
        state.health.user_up = change.up
        state.health.user_since_ms = state.now_ms
        _distrust(state)
    else:
        state.health.market_up = change.up


def _distrust(state: EngineState) -> None:
    """What we believe about orders and fills may have gaps: a full reconcile must begin after this."""
    state.health.resync_after_ms = state.now_ms
    for kind, name in sync.symbol_reads(state.symbols):
        sync.want(state.sync, kind, name, state.now_ms)


def _operator(state: EngineState, wish: OperatorInput, out: Out) -> None:
    wishes = state.wishes
    out.note("operator", Severity.INFO, f"{wish.command} by {wish.author[:60]}: {wish.reason[:160]}")
    match wish.command:
        case OperatorCommand.SYNC:
            # A look changes nothing: no plan has a reason to be made anew.
            remedy.ask(state, wish)
            return
        case OperatorCommand.KILL:
            wishes.killed, wishes.acked = True, False
            wishes.kill_author, wishes.kill_reason = wish.author, wish.reason
        case OperatorCommand.PAUSE:
            wishes.paused = True
        case OperatorCommand.RESUME:
            wishes.paused = False
        case OperatorCommand.ACK:
            wishes.acked, wishes.accept_position = True, wish.accept_position
        case OperatorCommand.STOP:
            if wish.stop_mode is not None:
                state.fsm.stop_mode = wish.stop_mode
            _stop(state, FsmReason.OPERATOR_STOP)
        case OperatorCommand.SIGNAL:
            if wish.signal is not None and not replies.signal_refusal(state, wish):
                state.signals[wish.signal.name] = replace(wish.signal, as_of_ms=state.venue_ms)
        case OperatorCommand.STATUS:
            pass
    _all_dirty(state)


def _stop(state: EngineState, reason: FsmReason) -> None:
    if state.wishes.stop is None:
        state.wishes.stop, state.wishes.stop_since_ms = reason, state.now_ms
    _all_dirty(state)


def _sink(state: EngineState, report: SinkReport) -> None:
    if report.sink == "journal":
        state.health.journal_ok = report.ok
    elif report.sink == "evidence":
        state.health.evidence_ok = report.ok
    elif report.sink == "disk":
        state.health.disk_ok = report.ok


def _loop(state: EngineState, report: LoopReport, out: Out) -> None:
    state.health.loop_lag_ms, state.health.loop_lag_seen_ms = report.lag_ms, state.now_ms
    if report.resumed:
        state.health.resumed_ms = state.now_ms
        _distrust(state)
        _all_dirty(state)
        out.note("resumed", Severity.WARN, f"the process stood still for {report.lag_ms} ms")


def _notice(state: EngineState, notice: VenueNotice, out: Out) -> None:
    if notice.kind == "TRADE_LITE":
        # The same trade comes in full with its order report; a warning for each fill would bury the others.
        out.expected = True
        return
    out.note(f"venue_{notice.kind.lower()}"[:60], Severity.WARN, f"{notice.symbol} {notice.detail}"[:200])
    if notice.kind == "book_invalid" and notice.symbol in state.symbols:
        state.health.book_invalid.setdefault(notice.symbol, state.now_ms)
    if notice.kind == "ACCOUNT_CONFIG_UPDATE":
        sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms)
        sync.want(state.sync, QueryKind.RULES, "", state.now_ms)
    if notice.kind == "MARGIN_CALL":
        state.health.margin_ratio_bps = 10_000
        sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms)


def _write(state: EngineState, reply: WriteReply, out: Out) -> None:
    """Operations of orders are numbered upwards from 1, dead-man beats downwards from -1."""
    if reply.op_id < 0:
        _deadman_reply(state, reply, out)
    else:
        observe_orders.on_write(state, reply, out)
    match reply.code:
        case VenueCode.OK:
            state.health.venue_failures = 0
            state.health.auth_rejected = False
        case VenueCode.TIMEOUT | VenueCode.OVERLOADED:
            state.health.venue_failures += 1
        case VenueCode.AUTH:
            state.health.auth_rejected = True
        case VenueCode.CLOCK:
            sync.want(state.sync, QueryKind.TIME, "", state.now_ms)


def _deadman_reply(state: EngineState, reply: WriteReply, out: Out) -> None:
    """Beats carry negative operation ids; the symbol stands in `detail`."""
    kind, name, beat = state.op_owner.pop(reply.op_id, ("", "", ""))
    if kind != OpKind.DEADMAN or name not in state.deadman:
        return
    ok = reply.outcome is WriteOutcome.CONFIRMED
    memory = state.deadman[name]
    armed = deadman.armed(memory, state.now_ms, state.rules.deadman)
    deadman.answered(memory, deadman.Beat(beat), ok=ok)
    if armed is not deadman.armed(memory, state.now_ms, state.rules.deadman):
        state.symbols[name].dirty = True
    if not ok:
        out.note("deadman_beat", Severity.WARN, f"{name} {reply.outcome} {reply.code}")


def _boot(state: EngineState, header: Header, boot: Boot) -> None:
    """A run begins. What an earlier one left in flight is UNKNOWN; operator levels and latches stay."""
    first = not state.booted
    previous = state.identity.fingerprint
    state.identity = Identity(
        run_id=boot.run_id,
        instance_tag=boot.instance_tag,
        account=boot.account,
        fingerprint=previous or boot.fingerprint,
        epoch=boot.epoch,
        build=boot.build,
        armed=boot.armed,
        live=boot.live,
        boot_id=header.boot_id,
        observer=boot.observer,
    )
    state.rules = boot.rules
    state.booted = True
    state.health = Health(boot_ms=state.now_ms, resync_after_ms=state.now_ms, rules_read_ms=state.now_ms)
    state.health.fingerprint_ok = not previous or previous == boot.fingerprint
    wishes = state.wishes
    state.wishes = Wishes(
        killed=wishes.killed or boot.kill_latched,
        kill_author=wishes.kill_author,
        kill_reason=wishes.kill_reason,
        paused=wishes.paused,
    )
    for instrument in boot.instruments:
        _enter_symbol(state, instrument.symbol, boot, first)
    _leave_symbols(state, {instrument.symbol for instrument in boot.instruments})
    state.sync = sync.SyncState()
    state.budget = budget.boot(state.budget, state.venue_ms)
    if state.budget.banned_until_ms > state.venue_ms:
        state.health.banned_until_ms = state.budget.banned_until_ms + state.now_ms - state.venue_ms
    state.op_owner.clear()
    state.pages.clear()
    state.counters.states.clear()
    state.fsm = fsm.boot(None if first else state.fsm, boot.rules.stop_mode, state.now_ms)
    rebase(state.levels, state.now_ms)
    rebase(state.shadow, state.now_ms)
    state.sampled_ms = state.wake_at_ms = state.health_due_ms = 0
    state.counters.states.append(state.fsm.state.value)


def _leave_symbols(state: EngineState, entered: set[str]) -> None:
    """Symbols the run no longer has, once nothing of ours is on them; a start is refused while something is."""
    for name in [name for name in state.symbols if name not in entered]:
        symbol = state.symbols[name]
        if not symbol.orders and not symbol.position_lots:
            del state.symbols[name]
            state.deadman.pop(name, None)


def _enter_symbol(state: EngineState, name: str, boot: Boot, first: bool) -> None:
    instrument = next(i for i in boot.instruments if i.symbol == name)
    symbol = state.symbols.get(name)
    if symbol is None:
        symbol = SymbolState(symbol=name, view=MarketView(symbol=name), instrument=instrument)
        state.symbols[name] = symbol
    symbol.instrument = instrument
    symbol.view = MarketView(symbol=name)
    symbol.dirty = True
    symbol.venue_lots_ms = 0
    symbol.quiet_low_mid2, symbol.quiet_high_mid2 = 1, 0
    symbol.refill_until.clear()
    symbol.refused.clear()
    symbol.last_choice.clear()
    # The boot clock may have begun anew: a size taken under the old one would pass for fresh until it is caught up.
    symbol.sized_ms = symbol.alone_since_ms = 0
    symbol.regime = regime.RegimeState()
    symbol.volatility.last_ms = 0
    state.deadman[name] = deadman.boot(state.deadman.get(name, deadman.DeadmanMemory()))
    symbol.named.clear()
    symbol.listed.clear()
    symbol.leverage = 0
    if not first:
        for order in symbol.orders.values():
            if order.state in (OrderState.INTENT, OrderState.SENT):
                order.state = OrderState.UNKNOWN
            if order.pending is not None:
                order.pending.unknown = True
