"""One round trip, made from the slices of fills it owns.

Between the pairing, which says which slice belongs to which trip, and everything that shows or adds trips up. Sums are
integers: ticks x lots for prices, 1e-8 of an asset for money; a property turns them into money. A fee split over trips
is cut so that the parts add up to the fee exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import sha256

from gridops.decide.roundtrip_fills import OUTSIDE, Fills, money
from gridops.decide.roundtrip_marks import Marks
from gridops.domain.instrument import Instrument

Slice = tuple[int, int, int]
"""(fill row, from lot, to lot)."""
MOST_KNOWN = 4_096
HORIZONS_MS = (1_000, 10_000, 60_000)
OPENING = -1
"""Stands for a fill in a slice: lots of the position that was there before the first fill."""
ZERO = Decimal(0)


@dataclass(slots=True)
class Trip:
    """Sums over one trip. `*_units` are ticks x lots, signed so that positive is good for us, unless said otherwise."""

    instrument: Instrument
    episode: bool
    side: int
    """+1 opened by buying."""
    level: int
    policy: str
    """`grid`, `exit`, `external` (no order of ours), `opening` or `unattributed`: what opened it."""
    regime: str
    fills: Fills
    slices: Sequence[Slice]
    """What it owns of which rows of `fills`."""
    entry_ms: int
    exit_ms: int
    lots: int
    closed_lots: int
    entry_units: int
    """Sum of entry price x lots, unsigned."""
    exit_units: int
    entry_maker_lots: int
    exit_maker_lots: int
    fee_e8: int
    """In the settlement asset."""
    other_fees: tuple[tuple[str, int], ...]
    """(asset, 1e-8) of fees paid in anything else."""
    funding_e8: int
    carry: Decimal
    """What the opening price's rounding to ticks leaves, in the settlement asset."""
    slip_level_units: int
    """Paid beyond the price the level asked for; positive is against us."""
    slip_mid2_units: int
    """Twice what was paid beyond the mid of the decision; positive is against us."""
    mark_out2_units: tuple[int | None, ...]
    """Per horizon, twice the move of the mid in our favour after the entry fills; None when a mid is missing."""
    adverse2_units: int | None
    """Twice the worst excursion of the mid from the entry price while open, for the entry lots; at most zero."""
    favour2_units: int | None
    close_reason: str
    """`grid`, `exit`, `external`, `unattributed`, or empty while open."""

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    @property
    def gross(self) -> Decimal:
        """Money out less money in: the result of a closed trip, of an open one without the worth of what is open."""
        return self.instrument.unit * ((self.exit_units - self.entry_units) * self.side) + self.carry

    @property
    def funding(self) -> Decimal:
        return money(self.funding_e8)

    @property
    def open_lots(self) -> int:
        return self.lots - self.closed_lots

    @property
    def hold_ms(self) -> int:
        return self.exit_ms - self.entry_ms

    @property
    def trip_id(self) -> str:
        """Hash of the fills it owns and how much of each: equal for equal trips, whatever order they came in."""
        kind = "episode" if self.episode else "rung"
        return sha256(f"{kind}|{self.symbol}|{self._owned()}".encode()).hexdigest()[:16]

    def net(self, rates: "Rates") -> Decimal:
        """Gross minus fees plus funding, in the settlement asset; fees without a rate are not in it."""
        return self.gross - self.fees(rates)[0] + self.funding

    def fees(self, rates: "Rates") -> tuple[Decimal, bool]:
        """Fees valued in the settlement asset, and whether every fee had a rate."""
        total, whole = money(self.fee_e8), True
        for asset, amount_e8 in self.other_fees:
            rate = rates.get(asset)
            if rate is None:
                whole = False
            else:
                total += (money(amount_e8) * rate).quantize(Decimal("1e-8"), ROUND_HALF_EVEN)
        return total, whole

    def fill_ids(self) -> list[int]:
        """Trade ids it owns lots of, in the venue's order; the opening position has none."""
        return [self.fills.trade_id[row] for row, _, _ in self.slices if row >= 0]

    def _owned(self) -> str:
        ids = self.fills.trade_id
        return ",".join(f"{ids[row] if row >= 0 else 0}:{start}-{stop}" for row, start, stop in self.slices)


Rates = dict[str, Decimal]
"""Asset -> what one unit is worth in the settlement asset. The settlement asset needs none."""


class MarkOuts:
    """The move of the mid after each fill, looked up once per fill whatever number of trips it is in."""

    __slots__ = ("_fills", "_known", "marks")

    def __init__(self, fills: Fills, marks: Marks | None) -> None:
        self._fills, self.marks = fills, marks
        self._known: dict[int, tuple[int | None, ...]] = {}

    def per_lot2(self, row: int) -> tuple[int | None, ...]:
        """Per horizon: twice the move in favour of the fill's side, in ticks."""
        found = self._known.get(row)
        if found is None:
            if len(self._known) > MOST_KNOWN:
                self.forget()
            found = self._known[row] = self._moves(row)
        return found

    def forget(self) -> None:
        """Drop what is remembered: memory must not grow with the number of fills."""
        self._known.clear()

    def _moves(self, row: int) -> tuple[int | None, ...]:
        assert self.marks is not None
        fills = self._fills
        from2, way = 2 * fills.price[row], fills.sign[row]
        mids = self.marks.ahead(fills.at_ms[row], HORIZONS_MS)
        return tuple([None if mid2 is None else (mid2 - from2) * way for mid2 in mids])


NO_MARK_OUT: tuple[int | None, ...] = (None,) * len(HORIZONS_MS)


def build(fills: Fills, slices: Sequence[Slice], funding_e8: int, outs: MarkOuts, *, episode: bool) -> Trip:
    """Add up the slices of one trip, closed or still open. The first slice opened it."""
    prices, signs, makers = fills.price, fills.sign, fills.maker
    lots_of, fee_of, asset_of = fills.lots, fills.fee_e8, fills.fee_asset
    levels, mids2 = fills.intended, fills.mid2
    first, last = slices[0][0], slices[-1][0]
    side = signs[first] if first >= 0 else (1 if fills.opening_lots > 0 else -1)
    entry_lots = entry_units = exit_lots = exit_units = entry_maker = exit_maker = 0
    fee = slip_level = slip_mid = 0
    carry = ZERO
    others: dict[str, int] | None = None
    for row, start, stop in slices:
        count = stop - start
        if row < 0:
            ticks, carry = fills.opening(count)
            entry_lots, entry_units = count, ticks * count
            continue
        if signs[row] == side:
            entry_lots += count
            entry_units += prices[row] * count
            if makers[row]:
                entry_maker += count
        else:
            exit_lots += count
            exit_units += prices[row] * count
            if makers[row]:
                exit_maker += count
        if levels[row]:
            slip_level += (prices[row] - levels[row]) * signs[row] * count
        if mids2[row]:
            slip_mid += (2 * prices[row] - mids2[row]) * signs[row] * count
        paid = fee_of[row]
        if paid:
            whole = lots_of[row]
            if count != whole:
                paid = paid * stop // whole - paid * start // whole
            if asset_of[row]:
                others = others or {}
                asset = fills.assets[asset_of[row]]
                others[asset] = others.get(asset, 0) + paid
            else:
                fee += paid
    times = fills.at_ms
    entry_ms = times[first] if first >= 0 else fills.opening_ms
    trip = Trip(
        fills.instrument, episode, side, fills.level[first] if first >= 0 else 0, made_by(fills, first),
        fills.regime(entry_ms) if fills.regimes else "", fills, slices, entry_ms,
        times[last] if last >= 0 else entry_ms, entry_lots, exit_lots, entry_units, exit_units, entry_maker,
        exit_maker, fee, tuple(sorted(others.items())) if others else (), funding_e8, carry, slip_level, slip_mid,
        NO_MARK_OUT, None, None, made_by(fills, last) if entry_lots == exit_lots else "",
    )  # fmt: skip
    if outs.marks is not None:
        _look(trip, outs)
    return trip


def made_by(fills: Fills, row: int) -> str:
    """What a fill was for: `grid`, `exit`, `external`, `unattributed`, or `opening` for none."""
    if row < 0:
        return "opening"
    if fills.order[row] != OUTSIDE:
        return "grid" if fills.level[row] else "exit"
    return "external" if fills.trade_id[row] >= 0 else "unattributed"


def _look(trip: Trip, outs: MarkOuts) -> None:
    """Mark-outs of the entry, and excursions while open, where the mid was seen."""
    assert outs.marks is not None
    sums: list[int | None] | None = None
    signs, side = trip.fills.sign, trip.side
    for row, start, stop in trip.slices:
        if row < 0 or signs[row] != side:
            continue
        lots = stop - start
        moves = [None if move is None else move * lots for move in outs.per_lot2(row)]
        if sums is not None:
            pairs = zip(sums, moves, strict=True)
            moves = [None if one is None or other is None else one + other for one, other in pairs]
        sums = moves
    if sums is not None:
        trip.mark_out2_units = tuple(sums)
    seen = outs.marks.extremes(trip.entry_ms, trip.exit_ms)
    if seen is not None:
        entered = 2 * trip.entry_units
        one, other = (seen[0] * trip.lots - entered) * side, (seen[1] * trip.lots - entered) * side
        trip.adverse2_units, trip.favour2_units = min(0, one, other), max(0, one, other)
