"""Query answers: what a read of the venue proves about orders, positions, money and modes.

Part of `observe`. A failed or incomplete read proves nothing; absence is not zero.
"""

from decimal import Decimal

from gridops.decide import drawdown, roundtrip, sync
from gridops.domain.events import QueryReply
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.ids import owner
from gridops.domain.orders import Order, VenueOrder, VenueTrade
from gridops.domain.records import Booked, MismatchSeen, SyncDone
from gridops.domain.vocabulary import (
    MismatchKind,
    OrderState,
    OrderType,
    QueryKind,
    Severity,
    TimeInForce,
    VenueCode,
)
from gridops.runtime import observe_fills, observe_orders
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

NOT_OURS_TO_BOOK = frozenset({"REALIZED_PNL", "COMMISSION"})
"""Income rows that repeat what fills say; they are booked with the fill."""


_ORDER_KINDS = {
    MismatchKind.ORDER_MISSING_AT_VENUE,
    MismatchKind.ORDER_ORPHAN_OWN,
    MismatchKind.ORDER_FOREIGN,
    MismatchKind.ORDER_FIELD_DIVERGED,
}


_PAGED = (QueryKind.TRADES, QueryKind.INCOME)
INCOME_OVERLAP_MS = 60_000
"""Income rows may appear a little after their time: the newest minute is asked for again."""


def on_query(state: EngineState, reply: QueryReply, out: Out) -> None:
    """Take one answer in. The question is forgotten, its success remembered by when it was *asked*."""
    asked = state.sync.asked.pop(reply.query_id, None)
    if asked is None:
        return
    key = sync.slot(reply.kind, reply.symbol)
    if not reply.ok or (not reply.complete and reply.kind not in _PAGED):
        state.sync.failures += 1
        state.health.venue_failures += 1
        sync.want(state.sync, reply.kind, reply.symbol, state.now_ms, after_ms=1_000)
        out.say(SyncDone(kind=reply.kind.value, symbol=reply.symbol, ok=False, detail=f"{reply.code} {reply.detail}"))
        return
    state.sync.failures = 0
    state.health.venue_failures = 0
    settled = True
    match reply.kind:
        case QueryKind.ORDER:
            _order(state, reply, asked, out)
        case QueryKind.OPEN_ORDERS:
            _open_orders(state, reply, asked, out)
        case QueryKind.TRADES:
            settled = _trades(state, reply, asked, out)
        case QueryKind.POSITIONS:
            _positions(state, reply, asked, out)
        case QueryKind.INCOME:
            _incomes(state, reply, out)
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
    symbol.named.update({seen.client_id: asked.asked_ms for seen in reply.orders})
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
        found.add(_suspect(state, kind, Severity.WARN, name, client_id, shown, "not listed", out))
    for seen in verdict.orphans:
        _adopt_orphan(state, symbol, seen, out)
        shown = f"{seen.side} {seen.lots}@{seen.price_ticks}"
        kind = MismatchKind.ORDER_ORPHAN_OWN
        found.add(_suspect(state, kind, Severity.WARN, name, seen.client_id, "unknown", shown, out))
    for seen in verdict.foreign:
        shown = f"{seen.side} {seen.lots}@{seen.price_ticks}"
        found.add(_suspect(state, MismatchKind.ORDER_FOREIGN, Severity.INFO, name, seen.venue_id, "none", shown, out))
    for client_id, ours, theirs in verdict.diverged:
        kind = MismatchKind.ORDER_FIELD_DIVERGED
        found.add(_suspect(state, kind, Severity.WARN, name, client_id, ours, theirs, out))
    _clear(state, name, _ORDER_KINDS, found, out)
    out.say(SyncDone(kind=reply.kind.value, symbol=reply.symbol, ok=True, detail=f"{len(reply.orders)} open"))


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


def _suspect(
    state: EngineState,
    kind: MismatchKind,
    severity: Severity,
    symbol: str,
    key: str,
    local: str,
    venue: str,
    out: Out,
) -> str:
    """Remember a difference; when this read confirms it, say so with evidence. Returns its key."""
    name = f"{kind}|{symbol}|{key}"
    found = sync.Suspicion(kind, severity, symbol, name, local, venue, state.now_ms)
    if sync.suspect(state.sync, found, state.rules.sync.confirm_reads):
        bundle = out.bundle(
            EvidenceMode.MISMATCH,
            EvidenceStatus.FINDING,
            kind.value,
            f"{symbol}: {kind} confirmed: local {local}, venue {venue}",
            kind=kind.value,
            severity=severity.value,
            symbol=symbol,
            key=key,
            local=local,
            venue=venue,
        )
        _say_mismatch(state.sync.suspicions[name], out, bundle, closed=False)
        for entry in state.symbols.values():
            entry.dirty = True
    return name


def _say_mismatch(found: sync.Suspicion, out: Out, bundle: str, *, closed: bool) -> None:
    out.say(
        MismatchSeen(
            kind=found.kind,
            severity=found.severity,
            symbol=found.symbol,
            key=found.key,
            local=found.local,
            venue=found.venue,
            confirmed=found.confirmed,
            closed=closed,
            bundle=bundle,
        )
    )


def _clear(state: EngineState, symbol: str, kinds: set[MismatchKind], found: set[str], out: Out) -> None:
    """Differences of these kinds that the newest read no longer shows are over."""
    for name in sorted(state.sync.suspicions):
        known = state.sync.suspicions[name]
        if known.symbol == symbol and known.kind in kinds and name not in found:
            del state.sync.suspicions[name]
            if known.confirmed:
                _say_mismatch(known, out, "", closed=True)
                for entry in state.symbols.values():
                    entry.dirty = True


def _trades(state: EngineState, reply: QueryReply, asked: sync.Asked, out: Out) -> bool:
    """Book what is new. False while the read has not settled everything before it."""
    symbol = state.symbols.get(reply.symbol)
    if symbol is None:
        return True
    highest = max((t.trade_id for t in reply.trades), default=0)
    if not symbol.history_known:
        # A journal without history: what was traded before it is the opening position's, not ours to book.
        symbol.history_known = True
        symbol.last_trade_id = highest
        symbol.trade_ids.update({t.trade_id: t.at_ms for t in reply.trades})
        return True
    for trade in sorted(reply.trades, key=lambda t: t.trade_id):
        if trade.trade_id in symbol.trade_ids or trade.trade_id < asked.from_id:
            continue
        if not _book_trade(state, symbol, trade, out):
            return False
    symbol.last_trade_id = max(symbol.last_trade_id, highest)
    if not reply.complete:
        sync.want(state.sync, QueryKind.TRADES, reply.symbol, state.now_ms)
    if reply.trades:
        out.say(SyncDone(kind=reply.kind.value, symbol=reply.symbol, ok=True, detail=f"{len(reply.trades)} trades"))
    return reply.complete


def _book_trade(state: EngineState, symbol: SymbolState, trade: VenueTrade, out: Out) -> bool:
    """Book a trade from history. False while it may belong to an order whose venue id we have not learned yet."""
    order = observe_orders.by_venue_id(symbol, trade.venue_id)
    if order is None and any(not o.venue_id for o in symbol.orders.values()):
        sync.want(state.sync, QueryKind.TRADES, symbol.symbol, state.now_ms, after_ms=1_000)
        return False
    fill = observe_fills.from_trade(trade, order)
    if observe_fills.book(state, symbol, fill, order, out) and order is None:
        out.note("external_fill", Severity.WARN, f"{trade.symbol} {trade.side} {trade.lots}@{trade.price_ticks}")
    return True


def _positions(state: EngineState, reply: QueryReply, asked: sync.Asked, out: Out) -> None:
    """One read of positions, balances and modes."""
    by_symbol = {p.symbol: p for p in reply.positions}
    if reply.modes is not None:
        was = state.health.modes_ok
        hedge = any(p.position_side != "BOTH" or p.isolated for p in reply.positions if p.lots)
        state.health.modes_ok = not (reply.modes.hedge or reply.modes.multi_assets or hedge) and reply.modes.can_trade
        if was and not state.health.modes_ok:
            out.note("modes", Severity.CRITICAL, f"hedge={reply.modes.hedge} multi_assets={reply.modes.multi_assets}")
    for name, symbol in state.symbols.items():
        seen = by_symbol.get(name)
        lots = seen.lots if seen is not None else 0
        if seen is not None:
            symbol.venue_mark, symbol.venue_unrealised = seen.mark_price, seen.unrealised
            symbol.liquidation_price, symbol.entry_price = seen.liquidation_price, seen.entry_price
        else:
            symbol.venue_unrealised = Decimal(0)
        symbol.venue_lots, symbol.venue_lots_ms = lots, asked.asked_ms
        if not symbol.position_known:
            symbol.position_lots = lots
            symbol.position_known = True
            price = symbol.instrument.nearest_ticks(seen.entry_price) if seen is not None else 0
            roundtrip.opening(symbol.trips, lots=lots, price_ticks=price, at_ms=asked.asked_ms)
            if lots:
                out.note("opening_position", Severity.WARN, f"{name} {lots} lots at {symbol.entry_price}")
        else:
            _judge_position(state, symbol, lots, asked, out)
        symbol.dirty = True
    _balances(state, reply, asked, out)
    _judge_wallet(state, asked, out)
    _danger(state, reply, asked)
    out.say(SyncDone(kind=reply.kind.value, symbol="", ok=True, detail=f"{len(reply.positions)} positions"))


def _danger(state: EngineState, reply: QueryReply, asked: sync.Asked) -> None:
    """Margin and drawdown by the venue's own figures."""
    if reply.margin_balance > 0:
        state.health.margin_ratio_bps = int(reply.maintenance_margin * 10_000 / reply.margin_balance)
    asset = next(iter(state.symbols.values())).instrument.settle_asset
    wallet = state.ledger.venue_wallet.get(asset)
    if wallet is not None:
        total = wallet + sum((p.unrealised for p in reply.positions), start=Decimal(0))
        state.drawdown = drawdown.venue_read(
            state.drawdown,
            int(total * 1_000_000),
            started_ms=asked.boot_ms,
            wall_ms=state.venue_ms,
            rules=state.rules.risk,
        )


def _judge_position(state: EngineState, symbol: SymbolState, lots: int, asked: sync.Asked, out: Out) -> None:
    kinds = {MismatchKind.POSITION_QTY, MismatchKind.POSITION_SIDE}
    low = min(asked.low_lots, symbol.position_lots)
    high = max(asked.high_lots, symbol.position_lots)
    if len(state.symbols) == 1:
        asked.low_lots, asked.high_lots = low, high
        reachable = sync.position_within(lots, asked)
    else:
        # The read covers several symbols; its bounds are kept for one, so compare with the present figure.
        reachable = lots == symbol.position_lots
    found: set[str] = set()
    if not reachable:
        kind, severity = sync.position_severity(symbol.position_lots, lots, symbol.rung_lots)
        found.add(_suspect(state, kind, severity, symbol.symbol, "position", str(symbol.position_lots), str(lots), out))
        sync.want(state.sync, QueryKind.TRADES, symbol.symbol, state.now_ms)
        sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms, after_ms=500)
    _clear(state, symbol.symbol, kinds, found, out)


def _balances(state: EngineState, reply: QueryReply, asked: sync.Asked, out: Out) -> None:
    ledger = state.ledger
    for balance in reply.balances:
        ledger.venue_wallet[balance.asset] = balance.wallet
    ledger.venue_wallet_ms = asked.asked_ms
    if not ledger.opened and reply.balances:
        ledger.opened = True
        ledger.wallet = dict(ledger.venue_wallet)
        ledger.income_since_ms = ledger.income_cursor_ms = asked.asked_ms
        total = ", ".join(f"{asset} {wallet}" for asset, wallet in sorted(ledger.wallet.items()) if wallet)
        out.note("opening_entry", Severity.INFO, f"wallet {total}")


DUST = Decimal("1e-8")


def _judge_wallet(state: EngineState, asked: sync.Asked, out: Out) -> None:
    """Our books against the venue's wallet, per asset, while no fill can be between the two."""
    newest = max((symbol.last_fill_ms for symbol in state.symbols.values()), default=0)
    unbooked = any(o.reported_lots > o.filled_lots for s in state.symbols.values() for o in s.orders.values())
    if unbooked or newest + state.rules.sync.settle_ms >= asked.asked_ms:
        return
    ledger, found = state.ledger, set()
    for asset in sorted({*ledger.wallet, *ledger.venue_wallet}):
        ours, theirs = ledger.wallet.get(asset, Decimal(0)), ledger.venue_wallet.get(asset, Decimal(0))
        if abs(ours - theirs) > DUST:
            sync.want(state.sync, QueryKind.INCOME, "", state.now_ms)
            kind = MismatchKind.BALANCE_RESIDUAL
            found.add(_suspect(state, kind, Severity.WARN, "", asset, str(ours), str(theirs), out))
    _clear(state, "", {MismatchKind.BALANCE_RESIDUAL}, found, out)


def _incomes(state: EngineState, reply: QueryReply, out: Out) -> None:
    """Book funding, transfers and venue-made rows once each; fills' rows are booked with the fill."""
    ledger = state.ledger
    if not ledger.opened:
        return
    for row in sorted(reply.incomes, key=lambda r: (r.at_ms, r.tran_id)):
        key = f"{row.income_type}:{row.tran_id}:{row.asset}"
        if row.income_type in NOT_OURS_TO_BOOK or key in ledger.income_seen or row.at_ms < ledger.income_since_ms:
            continue
        ledger.income_seen[key] = row.at_ms
        observe_fills.add(ledger.wallet, row.asset, row.amount)
        if row.income_type == "FUNDING_FEE":
            observe_fills.add(ledger.funding, row.asset, row.amount)
            symbol = state.symbols.get(row.symbol)
            if symbol is not None:
                roundtrip.fund(symbol.trips, row.amount)
        elif row.income_type == "TRANSFER":
            observe_fills.add(ledger.transfers, row.asset, row.amount)
            state.drawdown = drawdown.transfer(state.drawdown, int(row.amount * 1_000_000))
        else:
            observe_fills.add(ledger.other, row.asset, row.amount)
        out.say(
            Booked(
                kind=row.income_type.lower(),
                asset=row.asset,
                symbol=row.symbol,
                amount=row.amount,
                tran_id=row.tran_id,
                at_ms=row.at_ms,
            )
        )

    _move_income_cursor(state, reply)


def _move_income_cursor(state: EngineState, reply: QueryReply) -> None:
    ledger = state.ledger
    newest = max((row.at_ms for row in reply.incomes), default=0)
    if not reply.complete:
        ledger.income_cursor_ms = max(ledger.income_cursor_ms, newest)
        sync.want(state.sync, QueryKind.INCOME, "", state.now_ms)
        return
    ledger.income_cursor_ms = max(ledger.income_cursor_ms, newest - INCOME_OVERLAP_MS, ledger.income_since_ms)
    for key in [k for k, at_ms in ledger.income_seen.items() if at_ms < ledger.income_cursor_ms]:
        del ledger.income_seen[key]


def _rules(state: EngineState, reply: QueryReply, out: Out) -> None:
    fresh = {i.symbol: i for i in reply.instruments}
    state.health.rules_read_ms = state.now_ms
    for name, symbol in state.symbols.items():
        instrument = fresh.get(name)
        if instrument is not None and instrument != symbol.instrument:
            out.note("filters_changed", Severity.WARN, f"{name}: trading rules changed")
            if (instrument.tick_size, instrument.step_size) != (
                symbol.instrument.tick_size,
                symbol.instrument.step_size,
            ):
                # Ticks and lots of everything we hold would change meaning: stop trusting the symbol.
                state.health.book_invalid[name] = state.now_ms
                continue
            symbol.instrument = instrument
            symbol.dirty = True
