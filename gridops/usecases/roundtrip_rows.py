"""A round trip as operators read it: every field of the accounting contract, as money, prices and shares.

Between the folded trips and whatever prints, exports or files them. It rounds averages and shares only, and says None
where nothing is known.
"""

from decimal import ROUND_HALF_EVEN, Decimal

from gridops.decide.roundtrip_fills import money
from gridops.decide.roundtrip_trip import HORIZONS_MS, Rates, Trip
from gridops.domain.values import record

_E8 = Decimal("1e-8")


@record
class Leg:
    """One side of a trip. `at_ms` is the first entry or the last exit; `vwap` None before the first exit."""

    at_ms: int
    vwap: Decimal | None
    quantity: Decimal
    maker_share: Decimal


@record
class Rate:
    """What one unit of a fee asset was worth in the settlement asset, and who says so; None is unvalued."""

    rate: Decimal | None
    source: str


@record
class TripRow:
    """Money in the settlement asset, times on the venue's clock."""

    trip_id: str
    of: str
    """`rung` or `episode`."""
    open: bool
    symbol: str
    side: str
    level: int
    policy: str
    regime: str
    entry: Leg
    exit: Leg
    gross: Decimal
    """Of an open trip: of the lots that are closed. What is open has no result yet."""
    fees: Decimal
    fees_by_asset: dict[str, Decimal]
    fee_rates: dict[str, Rate]
    unvalued_fee: bool
    funding: Decimal
    net: Decimal
    net_bps: Decimal
    slippage_mid: Decimal
    """Against the mid of the decision, positive is against us; the next against the level's price."""
    slippage_level: Decimal
    mark_out: dict[str, Decimal | None]
    adverse: Decimal | None
    favour: Decimal | None
    hold_ms: int
    close_reason: str
    fills: tuple[int, ...]
    """Trade ids."""


def row(trip: Trip, rates: Rates) -> TripRow:
    """Say a trip out."""
    settle, unit = trip.instrument.settle_asset, trip.instrument.unit
    fees, whole = trip.fees(rates)
    gross = _booked(trip)
    net, entered = gross - fees + trip.funding, unit * trip.entry_units
    paid = {settle: money(trip.fee_e8)} if trip.fee_e8 else {}
    paid |= {asset: money(amount) for asset, amount in trip.other_fees}
    return TripRow(
        trip_id=trip.trip_id,
        of="episode" if trip.episode else "rung",
        open=not trip.close_reason,
        symbol=trip.symbol,
        side="BUY" if trip.side > 0 else "SELL",
        level=trip.level,
        policy=trip.policy,
        regime=trip.regime,
        entry=_leg(trip, trip.entry_ms, trip.entry_units, trip.lots, trip.entry_maker_lots),
        exit=_leg(
            trip, trip.exit_ms if trip.closed_lots else 0, trip.exit_units, trip.closed_lots, trip.exit_maker_lots
        ),
        gross=gross,
        fees=fees,
        fees_by_asset=paid,
        fee_rates={asset: _rate(asset, settle, rates) for asset in paid},
        unvalued_fee=not whole,
        funding=trip.funding,
        net=net,
        net_bps=(net * 10_000 / entered).quantize(Decimal("0.1"), ROUND_HALF_EVEN) if entered else Decimal(0),
        slippage_mid=unit * trip.slip_mid2_units / 2,
        slippage_level=unit * trip.slip_level_units,
        mark_out={
            f"{ms // 1_000}s": None if moved is None else unit * moved / 2
            for ms, moved in zip(HORIZONS_MS, trip.mark_out2_units, strict=True)
        },
        adverse=None if trip.adverse2_units is None else unit * trip.adverse2_units / 2,
        favour=None if trip.favour2_units is None else unit * trip.favour2_units / 2,
        hold_ms=trip.hold_ms,
        close_reason=trip.close_reason,
        fills=tuple(trip.fill_ids()),
    )


def _booked(trip: Trip) -> Decimal:
    """Result of the closed lots, those of an open trip at its average entry."""
    if not trip.open_lots:
        return trip.gross
    part = Decimal(trip.closed_lots) / trip.lots
    gross = trip.instrument.unit * (trip.exit_units - trip.entry_units * part) * trip.side + trip.carry * part
    return gross.quantize(_E8, ROUND_HALF_EVEN)


def _leg(trip: Trip, at_ms: int, units: int, lots: int, maker_lots: int) -> Leg:
    vwap = (trip.instrument.tick_size * units / lots).quantize(_E8, ROUND_HALF_EVEN) if lots else None
    share = (Decimal(maker_lots) / lots).quantize(Decimal("0.0001"), ROUND_HALF_EVEN) if lots else Decimal(0)
    return Leg(at_ms=at_ms, vwap=vwap, quantity=trip.instrument.quantity(lots), maker_share=share)


def _rate(asset: str, settle: str, rates: Rates) -> Rate:
    if asset == settle:
        return Rate(rate=Decimal(1), source="settlement")
    known = rates.get(asset)
    return Rate(rate=known, source="unvalued" if known is None else "operator")
