"""The account as a read shows it: positions, wallets, margin and ledger rows, against our own books.

Part of `observe`. The first read is the opening entry; after that the venue's figures are compared, never copied.
"""

from collections.abc import Iterable
from decimal import Decimal

from gridops.decide import drawdown, roundtrip, sync, tieout_rows
from gridops.decide.ledger import FROM_FILLS
from gridops.decide.roundtrip import TripBook
from gridops.decide.sync_table import residual_severity
from gridops.domain.events import QueryReply
from gridops.domain.orders import VenueTrade
from gridops.domain.records import Booked, SyncDone
from gridops.domain.vocabulary import MismatchKind, QueryKind, Severity
from gridops.runtime import observe_fills, suspicions, tie
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

OPENING_MARGIN_MS = 1_000
"""How far a trade's venue time and our estimate of the venue's clock may be apart."""
INCOME_OVERLAP_MS = 60_000
"""Income rows may appear a little after their time: the newest minute is asked for again."""
DUST = Decimal("1e-8")
WHOLE_BPS = 10_000
"""Maintenance margin as large as the balance: the venue liquidates."""


def positions(state: EngineState, reply: QueryReply, asked: sync.Asked, out: Out) -> None:
    """One read of positions, balances and modes."""
    by_symbol = {p.symbol: p for p in reply.positions}
    if reply.modes is not None:
        was = state.health.modes_ok
        hedge = any(p.position_side != "BOTH" or p.isolated for p in reply.positions if p.lots)
        state.health.modes_ok = not (reply.modes.hedge or reply.modes.multi_assets or hedge) and reply.modes.can_trade
        shown = f"hedge={reply.modes.hedge or hedge} multi_assets={reply.modes.multi_assets}"
        if was and not state.health.modes_ok:
            out.note("modes", Severity.CRITICAL, shown)
        _judge_modes(state, f"{shown} can_trade={reply.modes.can_trade}", out)
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
            symbol.opening_asked_ms, symbol.opening_read_ms = asked.asked_ms, state.now_ms
            sync.want(state.sync, QueryKind.TRADES, name, state.now_ms)
        else:
            _judge_position(state, symbol, lots, asked, out)
        symbol.dirty = True
    _balances(state, reply, asked, out)
    _judge_wallet(state, asked, out)
    _danger(state, reply, asked)
    out.say(SyncDone(kind=reply.kind.value, symbol="", ok=True, detail=f"{len(reply.positions)} positions"))


def _judge_modes(state: EngineState, shown: str, out: Out) -> None:
    """The modes degrade at the first read; the second consistent one confirms the mismatch, with evidence."""
    kind, found = MismatchKind.MODE_CHANGED, set()
    if not state.health.modes_ok:
        ours = "hedge=False multi_assets=False can_trade=True"
        found.add(suspicions.raise_one(state, kind, Severity.CRITICAL, "", "modes", ours, shown, out))
        if not all(state.sync.suspicions[name].confirmed for name in found):
            sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms, after_ms=500)
    suspicions.clear(state, "", {kind}, found, out)


def open_position(state: EngineState, symbol: SymbolState, trades: Iterable[VenueTrade], out: Out) -> None:
    """Open with the position read before this history was asked for, if no trade can stand between the two.

    Whatever traded since shortly before the position was asked for may be in it or not: then both are read again.
    """
    settled_ms = symbol.opening_asked_ms - OPENING_MARGIN_MS
    if any(trade.at_ms >= settled_ms for trade in trades):
        symbol.opening_read_ms = 0
        sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms, after_ms=OPENING_MARGIN_MS)
        return
    symbol.position_known = symbol.dirty = True
    symbol.trips = TripBook()
    price = symbol.instrument.nearest_ticks(symbol.entry_price)
    roundtrip.opening(symbol.trips, lots=symbol.position_lots, price_ticks=price, at_ms=symbol.opening_asked_ms)
    if symbol.position_lots:
        shown = f"{symbol.symbol} {symbol.position_lots} lots at {symbol.entry_price}"
        out.note("opening_position", Severity.WARN, shown)


def _danger(state: EngineState, reply: QueryReply, asked: sync.Asked) -> None:
    """Margin and drawdown by the venue's own figures."""
    if reply.margin_balance > 0:
        state.health.margin_ratio_bps = int(reply.maintenance_margin * 10_000 / reply.margin_balance)
    elif reply.margin_balance < 0:
        # More is lost than was there: no ratio says it, and the last one must not stand.
        state.health.margin_ratio_bps = WHOLE_BPS
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
        ours, theirs = str(symbol.position_lots), str(lots)
        name = suspicions.raise_one(state, kind, severity, symbol.symbol, "position", ours, theirs, out)
        found.add(name)
        # Once confirmed it may stand for hours: read on, at the pace of a degraded account.
        pause_ms = state.rules.sync.positions_degraded_ms if state.sync.suspicions[name].confirmed else 500
        sync.want(state.sync, QueryKind.TRADES, symbol.symbol, state.now_ms, after_ms=pause_ms - 500)
        sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms, after_ms=pause_ms)
    suspicions.clear(state, symbol.symbol, kinds, found, out)


def _balances(state: EngineState, reply: QueryReply, asked: sync.Asked, out: Out) -> None:
    ledger = state.ledger
    for balance in reply.balances:
        ledger.venue_wallet[balance.asset] = balance.wallet
    ledger.venue_wallet_ms = asked.asked_ms
    opening = any(not symbol.position_known for symbol in state.symbols.values())
    if (opening or not ledger.opened) and reply.balances:
        ledger.opened = True
        ledger.wallet = dict(ledger.venue_wallet)
        ledger.income_since_ms = ledger.income_cursor_ms = asked.asked_ms
        total = ", ".join(f"{asset} {wallet}" for asset, wallet in sorted(ledger.wallet.items()) if wallet)
        out.note("opening_entry", Severity.INFO, f"wallet {total}")


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
            severity = residual_severity(int((ours - theirs) * 1_000_000), int(theirs * 1_000_000))
            name = suspicions.raise_one(state, kind, severity, "", asset, str(ours), str(theirs), out)
            found.add(name)
            known = state.sync.suspicions[name]
            listed_ms = state.sync.last_ok.get(sync.slot(QueryKind.INCOME, ""), 0)
            known.stands = known.stands or known.since_ms + state.rules.sync.settle_ms < listed_ms < asked.boot_ms
    suspicions.clear(state, "", {MismatchKind.BALANCE_RESIDUAL}, found, out)


def incomes(state: EngineState, reply: QueryReply, asked: sync.Asked, out: Out) -> None:
    """Book funding, transfers and venue-made rows once each; those that repeat fills are compared with the fills."""
    ledger = state.ledger
    if not ledger.opened:
        return
    for row in sorted(reply.incomes, key=lambda r: (r.at_ms, r.tran_id)):
        ref = (row.trade_id if row.income_type in FROM_FILLS else "") or row.tran_id
        key = f"{row.income_type}:{row.tran_id}:{row.asset}"
        if key in ledger.income_seen or row.at_ms < ledger.income_since_ms:
            continue
        ledger.income_seen[key] = row.at_ms
        named = (row.income_type, row.symbol, row.asset, ref, row.at_ms, row.amount)
        tieout_rows.listed(ledger.tie, *named)
        if row.income_type in FROM_FILLS:
            continue
        tieout_rows.booked(ledger.tie, *named)
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
    if reply.complete:
        tie.run(state, asked.asked_ms, out)


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
