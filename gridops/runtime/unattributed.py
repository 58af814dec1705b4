"""Entries for what no trade and no income row explains: our books take the venue's figure, and say that they did.

Used by `remedy` alone. Nothing here looks for an explanation; whoever calls has found none.
"""

from decimal import Decimal

from gridops.decide import roundtrip, tieout_rows
from gridops.decide.roundtrip import OpenLot
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.orders import Fill
from gridops.domain.records import Booked
from gridops.domain.vocabulary import Side
from gridops.runtime import facts, observe_fills
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

KIND = "unattributed"


def mark_ticks(symbol: SymbolState) -> int:
    """The venue's mark of the newest position read, else the market's; 0 = neither is known."""
    if symbol.venue_mark > 0:
        return symbol.instrument.nearest_ticks(symbol.venue_mark)
    return facts.mark_ticks(symbol)


def position(state: EngineState, symbol: SymbolState, lots: int, author: str, out: Out) -> str:
    """Move the position by signed `lots` without a trade, at the mark; the trips follow. What was done, in words."""
    price = mark_ticks(symbol)
    symbol.position_lots += lots
    for asked in state.sync.asked.values():
        if asked.symbol in (symbol.symbol, ""):
            asked.low_lots = min(asked.low_lots, symbol.position_lots)
            asked.high_lots = max(asked.high_lots, symbol.position_lots)
    _trips(state, symbol, lots, price, out)
    symbol.dirty = True
    tran_id = f"{KIND}-{state.identity.run_id}-{out.header.seq}"
    out.say(
        Booked(
            kind=KIND,
            asset=symbol.instrument.settle_asset,
            symbol=symbol.symbol,
            amount=Decimal(0),
            tran_id=tran_id,
            at_ms=state.venue_ms,
            lots=lots,
            price_ticks=price,
        )
    )
    told = f"{symbol.symbol} {lots:+d} lots at {price}, position {symbol.position_lots}"
    _evidence(out, author, told, tran_id)
    return told


def balance(state: EngineState, asset: str, amount: Decimal, author: str, out: Out) -> str:
    """Move the wallet of one asset to the venue's figure without an income row. What was done, in words."""
    ledger = state.ledger
    observe_fills.add(ledger.wallet, asset, amount)
    observe_fills.add(ledger.other, asset, amount)
    tieout_rows.accept(ledger.tie, asset)
    tran_id = f"{KIND}-{state.identity.run_id}-{out.header.seq}-{asset}"
    out.say(Booked(kind=KIND, asset=asset, symbol="", amount=amount, tran_id=tran_id, at_ms=state.venue_ms))
    told = f"{asset} {amount:+f}, wallet {ledger.wallet[asset]}"
    _evidence(out, author, told, tran_id)
    return told


def _evidence(out: Out, author: str, told: str, tran_id: str) -> None:
    title = f"unattributed entry: {told}"
    out.bundle(EvidenceMode.REMEDIATION, EvidenceStatus.FINDING, KIND, title, author=author, tran_id=tran_id)


def _trips(state: EngineState, symbol: SymbolState, lots: int, price: int, out: Out) -> None:
    """Close lots of the other side first, oldest first; what is left opens one lot that has no fills."""
    side = Side.BUY if lots > 0 else Side.SELL
    held = symbol.trips.open_lots()
    closing = min(abs(lots), abs(held)) if held * lots < 0 else 0
    if closing:
        for trip in roundtrip.apply(
            symbol.trips, _closing(state, symbol, side, closing, price, out), symbol.instrument
        ):
            state.counters.trips += 1
            state.counters.trips_net += trip.net
            out.say(trip)
    left = abs(lots) - closing
    if left:
        lot = OpenLot(KIND, side, 0, "", state.venue_ms, lots=left, entry_units=price * left)
        symbol.trips.lots.append(lot)


def _closing(state: EngineState, symbol: SymbolState, side: Side, lots: int, price: int, out: Out) -> Fill:
    """What closes the lots that the venue no longer holds. Its negative id is no trade of the venue."""
    return Fill(
        symbol=symbol.symbol,
        trade_id=-out.header.seq,
        client_id=KIND,
        venue_id="",
        side=side,
        level=0,
        price_ticks=price,
        lots=lots,
        fee=Decimal(0),
        fee_asset=symbol.instrument.settle_asset,
        realised=Decimal(0),
        maker=False,
        at_ms=state.venue_ms,
        reduce_only=True,
        decision_mid2=0,
        intended_ticks=0,
    )
