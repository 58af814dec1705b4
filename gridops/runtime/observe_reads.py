"""Query answers: what a read of the venue proves about orders, positions, money and modes.

Part of `observe`. A failed or incomplete read proves nothing; absence is not zero.
"""

from gridops.decide import sync
from gridops.decide.sync_table import fill_severity
from gridops.domain.events import QueryReply
from gridops.domain.ids import owner
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Order, VenueOrder, VenueTrade
from gridops.domain.records import SyncDone
from gridops.domain.vocabulary import (
    MismatchKind,
    OrderState,
    OrderType,
    QueryKind,
    Severity,
    TimeInForce,
    VenueCode,
)
from gridops.runtime import observe_account, observe_fills, observe_orders, protect, suspicions
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

_ORDER_KINDS = {
    MismatchKind.ORDER_MISSING_AT_VENUE,
    MismatchKind.ORDER_ORPHAN_OWN,
    MismatchKind.ORDER_FOREIGN,
    MismatchKind.ORDER_FIELD_DIVERGED,
}


_RULE_KINDS = {MismatchKind.FILTERS_CHANGED, MismatchKind.LEVERAGE_CHANGED}
_PAGED = (QueryKind.TRADES, QueryKind.INCOME)
DENIED_READS = 2
UNLISTED_MS = 30_000
"""Rules that lack a symbol of ours, or say that it does not trade, are read again after this long."""
ODD_REPLY = "an odd reply"
"""How the adapter words an answer that it could not read."""


def on_query(state: EngineState, reply: QueryReply, out: Out) -> None:
    """Take one answer in. The question is forgotten, its success remembered by when it was *asked*."""
    asked = state.sync.asked.pop(reply.query_id, None)
    if asked is None:
        return
    key = sync.slot(reply.kind, reply.symbol)
    if not reply.ok or (not reply.complete and reply.kind not in _PAGED):
        state.sync.failures += 1
        state.health.venue_failures += 1
        state.health.auth_rejected = state.health.auth_rejected or reply.code is VenueCode.AUTH
        sync.want(state.sync, reply.kind, reply.symbol, state.now_ms, after_ms=1_000)
        if reply.code is VenueCode.CLOCK:
            sync.want(state.sync, QueryKind.TIME, "", state.now_ms)
        if reply.detail.startswith(ODD_REPLY):
            suspicions.raise_read(state, MismatchKind.MALFORMED, reply, reply.detail[:120], out)
        out.say(SyncDone(kind=reply.kind.value, symbol=reply.symbol, ok=False, detail=f"{reply.code} {reply.detail}"))
        return
    odd = suspicions.odd_read(state, reply)
    if odd is not None:
        _discard(state, reply, odd, out)
        return
    suspicions.clear(state, reply.symbol, suspicions.READ_KINDS, suspicions.of_other_reads(state, reply), out)
    state.sync.failures = 0
    state.health.venue_failures = 0
    if reply.kind not in (QueryKind.TIME, QueryKind.RULES):
        # Only a signed answer shows that the key is good again.
        state.health.auth_rejected = False
    settled = True
    match reply.kind:
        case QueryKind.ORDER:
            _order(state, reply, asked, out)
        case QueryKind.OPEN_ORDERS:
            _open_orders(state, reply, asked, out)
        case QueryKind.TRADES:
            settled = _trades(state, reply, asked, out)
            if settled:
                _settle_unbooked(state, asked)
        case QueryKind.POSITIONS:
            observe_account.positions(state, reply, asked, out)
        case QueryKind.INCOME:
            observe_account.incomes(state, reply, asked, out)
        case QueryKind.TIME:
            health = state.health
            health.clock_error_ms = reply.clock_offset_ms - health.clock_offset_ms if health.clock_read_ms else 0
            health.clock_offset_ms, health.clock_read_ms = reply.clock_offset_ms, state.now_ms
        case QueryKind.RULES:
            _rules(state, reply, out)
    if reply.kind is not QueryKind.ORDER and settled:
        state.sync.last_ok[key] = max(state.sync.last_ok.get(key, 0), asked.boot_ms)
    reconciled = sync.full_reconcile_ms(state.sync, state.symbols)
    if reconciled > state.sync.reconciled_ms:
        state.sync.reconciled_ms, state.sync.reconciled_end_ms = reconciled, state.now_ms


def _discard(state: EngineState, reply: QueryReply, odd: tuple[MismatchKind, str], out: Out) -> None:
    """Believe nothing of a read that contradicts itself or an earlier one, and read again."""
    kind, why = odd
    state.sync.failures += 1
    suspicions.raise_read(state, kind, reply, why, out)
    sync.want(state.sync, reply.kind, reply.symbol, state.now_ms, after_ms=1_000)
    out.say(SyncDone(kind=reply.kind.value, symbol=reply.symbol, ok=False, detail=f"discarded: {kind} {why}"[:200]))


def _order(state: EngineState, reply: QueryReply, asked: sync.Asked, out: Out) -> None:
    symbol = state.symbols.get(asked.symbol)
    if symbol is None:
        return
    seen = reply.orders[0] if reply.orders else None
    if seen is None and reply.code is not VenueCode.NO_SUCH_ORDER:
        return
    observe_orders.on_order_read(state, symbol, asked.client_id, seen, asked.asked_ms, out)


def _open_orders(state: EngineState, reply: QueryReply, asked: sync.Asked, out: Out) -> None:
    symbol = state.symbols.get(reply.symbol)
    if symbol is None:
        return
    symbol.named = {seen.client_id: asked.asked_ms for seen in reply.orders}
    symbol.listed = {seen.client_id: suspicions.shown(seen) for seen in reply.orders}
    for seen in reply.orders:
        order = symbol.orders.get(seen.client_id)
        if order is not None:
            observe_orders.apply_venue_order(state, symbol, order, seen, out)
    verdict = sync.judge_orders(
        reply.orders,
        symbol.orders,
        symbol.closed,
        tag=state.identity.instance_tag,
        epoch=state.identity.epoch,
        asked_ms=asked.asked_ms,
        settle_ms=state.rules.sync.settle_ms,
    )
    state.health.foreign_writer = state.health.foreign_writer or verdict.newer_epoch
    name = reply.symbol
    found: set[str] = set()
    for client_id in verdict.missing:
        state.sync.order_ask.pop(client_id, None)
        order = symbol.orders[client_id]
        # Not UNKNOWN by a list alone: the probe decides. Counted so that the in-flight loop asks.
        order.absent_reads += 1
        kind, shown = MismatchKind.ORDER_MISSING_AT_VENUE, order.state.value
        found.add(suspicions.raise_one(state, kind, Severity.WARN, name, client_id, shown, "not listed", out))
    for seen in verdict.orphans:
        _adopt_orphan(state, symbol, seen, out)
    for seen in [*verdict.orphans, *_still_orphans(symbol, verdict.orphans, reply)]:
        shown = f"{seen.side} {seen.lots}@{seen.price_ticks}"
        kind = MismatchKind.ORDER_ORPHAN_OWN
        found.add(suspicions.raise_one(state, kind, Severity.WARN, name, seen.client_id, "unknown", shown, out))
    for seen in verdict.foreign:
        shown = f"{seen.side} {seen.lots}@{seen.price_ticks}"
        found.add(
            suspicions.raise_one(
                state, MismatchKind.ORDER_FOREIGN, Severity.WARN, name, seen.venue_id, "none", shown, out
            )
        )
    for client_id, ours, theirs in verdict.diverged:
        kind = MismatchKind.ORDER_FIELD_DIVERGED
        found.add(suspicions.raise_one(state, kind, Severity.WARN, name, client_id, ours, theirs, out))
    suspicions.clear(state, name, _ORDER_KINDS, found, out)
    out.say(SyncDone(kind=reply.kind.value, symbol=reply.symbol, ok=True, detail=f"{len(reply.orders)} open"))


def _still_orphans(symbol: SymbolState, fresh: tuple[VenueOrder, ...], reply: QueryReply) -> list[VenueOrder]:
    """Orphans that an earlier read adopted, of an earlier run perhaps: they still rest, on no level of the ladder."""
    new = {seen.client_id for seen in fresh}
    adopted = {o.client_id for o in symbol.orders.values() if o.level == 0 and not protect.never_rests(o)}
    return [seen for seen in reply.orders if seen.client_id in adopted - new]


def _adopt_orphan(state: EngineState, symbol: SymbolState, seen: VenueOrder, out: Out) -> None:
    """An order with our tag that no live order of ours explains becomes known, so that it is counted and cancelled."""
    who = owner(seen.client_id)
    known = symbol.closed.pop(seen.client_id, None)
    order = Order(
        client_id=seen.client_id,
        symbol=seen.symbol,
        side=seen.side,
        level=0,
        price_ticks=seen.price_ticks,
        lots=seen.lots,
        reduce_only=seen.reduce_only,
        order_type=OrderType.LIMIT,
        tif=TimeInForce(seen.tif) if seen.tif in set(TimeInForce) else TimeInForce.GTC,
        state=OrderState.UNKNOWN,
        epoch=who.epoch if who else 0,
        created_ms=seen.updated_ms,
        venue_id=seen.venue_id,
        filled_lots=known.filled_lots if known else 0,
    )
    symbol.orders[order.client_id] = order
    out.note("orphan_adopted", Severity.WARN, f"{seen.symbol} {seen.client_id} {seen.side} {seen.lots}")
    observe_orders.apply_venue_order(state, symbol, order, seen, out)


def _trades(state: EngineState, reply: QueryReply, asked: sync.Asked, out: Out) -> bool:
    """Book what is new. False while the read has not settled everything before it."""
    symbol = state.symbols.get(reply.symbol)
    if symbol is None:
        return True
    highest = max((t.trade_id for t in reply.trades), default=0)
    if not symbol.position_known:
        # A journal without history: what was traded before it is the opening position's, not ours to book.
        symbol.last_trade_id = max(symbol.last_trade_id, highest)
        for trade in reply.trades:
            observe_fills.remember(symbol, trade.trade_id)
        if symbol.opening_read_ms and asked.boot_ms >= symbol.opening_read_ms:
            observe_account.open_position(state, symbol, reply.trades, out)
        return reply.complete
    before = symbol.position_lots
    missed: list[VenueTrade] = []
    for trade in sorted(reply.trades, key=lambda t: t.trade_id):
        if observe_fills.knows(symbol, trade.trade_id) or trade.trade_id < asked.from_id:
            continue
        if not _book_trade(state, symbol, trade, out):
            _missed(state, symbol, before, missed, out)
            return False
        if trade.at_ms + state.rules.sync.settle_ms < asked.asked_ms:
            missed.append(trade)
    _missed(state, symbol, before, missed, out)
    symbol.last_trade_id = max(symbol.last_trade_id, highest)
    if not reply.complete:
        sync.want(state.sync, QueryKind.TRADES, reply.symbol, state.now_ms)
    if reply.trades:
        out.say(SyncDone(kind=reply.kind.value, symbol=reply.symbol, ok=True, detail=f"{len(reply.trades)} trades"))
    return reply.complete


def _missed(state: EngineState, symbol: SymbolState, before: int, missed: list[VenueTrade], out: Out) -> None:
    """Trades that nobody told us of within the settle time: the read is their second witness, the import their remedy.

    While the user stream was down they were expected here.
    """
    since_ms = state.health.user_since_ms + state.venue_ms - state.now_ms
    told = [trade for trade in missed if state.health.user_up and trade.at_ms > since_ms]
    if told:
        ids = ",".join(str(trade.trade_id) for trade in told[:8])
        lots = sum(trade.side.sign * trade.lots for trade in told)
        severity = fill_severity(lots, symbol.rung_lots)
        venue = str(symbol.position_lots)
        suspicions.settled(state, MismatchKind.FILL_MISSING, severity, symbol.symbol, ids, str(before), venue, out)


def _settle_unbooked(state: EngineState, asked: sync.Asked) -> None:
    """What a read asked after the fill did not show is not ours to book: it was traded before this journal."""
    symbol = state.symbols.get(asked.symbol)
    if symbol is None:
        return
    for client_id in list(symbol.unbooked):
        order = symbol.closed.get(client_id)
        if order is None or order.filled_ms + state.rules.sync.settle_ms < asked.asked_ms:
            del symbol.unbooked[client_id]


def _book_trade(state: EngineState, symbol: SymbolState, trade: VenueTrade, out: Out) -> bool:
    """Book a trade from history. False while it may belong to an order whose venue id we have not learned yet."""
    order = observe_orders.by_venue_id(symbol, trade.venue_id)
    if order is None and any(_may_own(o, trade) for o in symbol.orders.values()):
        sync.want(state.sync, QueryKind.TRADES, symbol.symbol, state.now_ms, after_ms=1_000)
        return False
    fill = observe_fills.from_trade(trade, order)
    if observe_fills.book(state, symbol, fill, order, out) and order is None:
        out.note("external_fill", Severity.WARN, f"{trade.symbol} {trade.side} {trade.lots}@{trade.price_ticks}")
    return True


def _may_own(order: Order, trade: VenueTrade) -> bool:
    """May the trade be of this order, whose venue id we do not know?

    Not once the venue has denied the order by its id, asked after the settle time: an order that traded is found.
    Without this the two proofs would wait for each other, as absence needs the trades settled.
    """
    if order.venue_id or order.absent_reads >= DENIED_READS:
        return False
    return trade.side is order.side and trade.lots <= order.remaining


def _rules(state: EngineState, reply: QueryReply, out: Out) -> None:
    fresh = {i.symbol: i for i in reply.instruments}
    leverages = dict(reply.leverages)
    missing = sorted(set(state.symbols) - set(fresh))
    if missing:
        # Another name, another contract, or a row that is not there yet: the rules in force only grow older.
        out.note("symbol_not_listed", Severity.WARN, f"the venue's rules do not list {', '.join(missing)}"[:200])
    else:
        state.health.rules_read_ms = state.now_ms
    if missing or any(not fresh[name].trading for name in state.symbols):
        sync.want(state.sync, QueryKind.RULES, "", state.now_ms, after_ms=UNLISTED_MS)
    for name, symbol in state.symbols.items():
        found: set[str] = set()
        instrument = fresh.get(name)
        if instrument is not None and instrument != symbol.instrument:
            found.add(_new_rules(state, symbol, instrument, out))
        if name in leverages:
            symbol.leverage = symbol.leverage or leverages[name]
            if symbol.leverage != leverages[name]:
                kind, ours, theirs = MismatchKind.LEVERAGE_CHANGED, str(symbol.leverage), str(leverages[name])
                found.add(suspicions.raise_one(state, kind, Severity.WARN, name, "leverage", ours, theirs, out))
        if found and not all(state.sync.suspicions[key].confirmed for key in found if key in state.sync.suspicions):
            sync.want(state.sync, QueryKind.RULES, "", state.now_ms, after_ms=1_000)
        suspicions.clear(state, name, _RULE_KINDS, found, out)


def _new_rules(state: EngineState, symbol: SymbolState, instrument: Instrument, out: Out) -> str:
    """Other trading rules than ours: taken over at once, since a filter that binds refuses; said with evidence.

    A new tick or step changes what ticks and lots of everything we hold mean: the rules in use are no longer the
    venue's, and count as never read until a fresh journal takes over the new ones.
    """
    ours, theirs = _differing(symbol.instrument, instrument)
    out.note("filters_changed", Severity.WARN, f"{symbol.symbol}: trading rules changed: {ours} -> {theirs}"[:200])
    kind = MismatchKind.FILTERS_CHANGED
    known = symbol.instrument
    if (instrument.tick_size, instrument.step_size) != (known.tick_size, known.step_size):
        state.health.rules_read_ms = 0
        return suspicions.raise_one(state, kind, Severity.CRITICAL, symbol.symbol, "filters", ours, theirs, out)
    symbol.instrument, symbol.dirty = instrument, True
    symbol.refused.clear()
    return suspicions.settled(state, kind, Severity.WARN, symbol.symbol, "filters", ours, theirs, out)


def _differing(ours: Instrument, theirs: Instrument) -> tuple[str, str]:
    """The fields that differ, as text of either side."""
    names = [name for name in Instrument.__slots__ if getattr(ours, name) != getattr(theirs, name)]  # type: ignore[attr-defined]
    return tuple(" ".join(f"{name}={getattr(side, name)}" for name in names) for side in (ours, theirs))  # type: ignore[return-value]
