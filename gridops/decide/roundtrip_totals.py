"""Round trips added up: totals, groups by a key, and the course of the net over time.

Above single trips, below the report. Sums stay integers until they are shown, so that a million trips add up in
seconds and in any order to the same figure. It rounds nothing but the averages it shows.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import repeat
from math import gcd
from operator import gt, mul

from gridops.decide.roundtrip_columns import Columns, Looks
from gridops.decide.roundtrip_fills import Fills, money
from gridops.decide.roundtrip_near import EVERY, NOTHING, Pick, picked
from gridops.decide.roundtrip_trip import HORIZONS_MS, Rates, Trip, made_by
from gridops.domain.instrument import Instrument
from gridops.domain.values import record, value

E12 = 10**12
_FINER = 10**4
"""1e-8 in 1e-12."""
HOUR_MS = 3_600_000
MOST_STRETCHES = 20_000
_NEAR = 64
"""So many trips further on the end of a stretch of time is looked for first."""


@value
class Key:
    """What trips are grouped by: of one trip, and of many given by the rows that opened them."""

    of_trip: Callable[[Trip], str]
    of_rows: Callable[[Fills, Sequence[int]], list[str]]

    def __call__(self, trip: Trip) -> str:
        return self.of_trip(trip)


def _levels(fills: Fills, rows: Sequence[int]) -> list[str]:
    levels = picked(rows)(fills.level)
    names = {level: str(level) for level in set(levels)}
    return [names[level] for level in levels]


KEYS: Mapping[str, Key] = {
    "level": Key(lambda trip: str(trip.level), _levels),
    "policy": Key(lambda trip: trip.policy, lambda fills, rows: [made_by(fills, row) for row in rows]),
    "regime": Key(
        lambda trip: trip.regime or "unknown",
        lambda fills, rows: [fills.regime(fills.at_ms[row]) or "unknown" for row in rows],
    ),
    "side": Key(
        lambda trip: "BUY" if trip.side > 0 else "SELL",
        lambda fills, rows: ["BUY" if fills.sign[row] > 0 else "SELL" for row in rows],
    ),
    "hour": Key(lambda trip: _hour(trip.entry_ms), lambda fills, rows: [_hour(fills.at_ms[row]) for row in rows]),
}
"""What `--by` offers: the level, policy, regime, side and UTC hour a trip was opened with."""


def _hour(at_ms: int) -> str:
    return f"{at_ms // HOUR_MS % 24:02d}"


@dataclass(slots=True)
class Sums:
    """Integer sums over trips of one instrument."""

    instrument: Instrument
    unit_e12: int
    """A tick of a lot in 1e-12."""
    trips: int = 0
    wins: int = 0
    unvalued: int = 0
    gross_units: int = 0
    entry_units: int = 0
    exit_units: int = 0
    fee_e8: int = 0
    other_fees: dict[str, int] = field(default_factory=dict)
    valued: Decimal = Decimal(0)
    """Fees in other assets, as far as they have a rate, in the settlement asset."""
    carry: Decimal = Decimal(0)
    funding_e8: int = 0
    hold_ms: int = 0
    lots: int = 0
    maker_lots: int = 0
    slip_level_units: int = 0
    slip_mid2_units: int = 0
    mark_out2_units: list[int] = field(default_factory=lambda: [0] * len(HORIZONS_MS))
    mark_out_trips: list[int] = field(default_factory=lambda: [0] * len(HORIZONS_MS))
    adverse2_units: int = 0
    favour2_units: int = 0
    looked: int = 0

    def add(self, trip: Trip, net_e12: int) -> None:
        """Count one trip, its net given in 1e-12 of the settlement asset."""
        self.trips += 1
        self.wins += net_e12 > 0
        self.gross_units += (trip.exit_units - trip.entry_units) * trip.side
        self.entry_units += trip.entry_units
        self.exit_units += trip.exit_units
        self.fee_e8 += trip.fee_e8
        self.funding_e8 += trip.funding_e8
        self.hold_ms += trip.exit_ms - trip.entry_ms
        self.lots += trip.lots + trip.closed_lots
        self.maker_lots += trip.entry_maker_lots + trip.exit_maker_lots
        self.slip_level_units += trip.slip_level_units
        self.slip_mid2_units += trip.slip_mid2_units
        if trip.carry:
            self.carry += trip.carry
        if trip.adverse2_units is not None:
            self._look(trip)

    def add_columns(self, found: Columns, count: int, wins: int, pick: Pick) -> None:
        """Add the picked ones of many; so many they are, and so many of them won."""
        self.wins += wins
        self.trips += count
        for name in _SUMMED:
            column = getattr(found, name)
            if column is not NOTHING:
                setattr(self, name, getattr(self, name) + sum(pick(column)))
        if found.looks is not None:
            self._look_at(found.looks, count, pick)

    def _look_at(self, looks: Looks, count: int, pick: Pick) -> None:
        self.looked += count if looks.looked is EVERY else sum(pick(looks.looked))
        self.adverse2_units += sum(pick(looks.adverse2_units))
        self.favour2_units += sum(pick(looks.favour2_units))
        for k, (moved, known) in enumerate(zip(looks.moved2_units, looks.known, strict=True)):
            self.mark_out2_units[k] += sum(pick(moved))
            self.mark_out_trips[k] += count if known is EVERY else sum(pick(known))

    def foreign(self, trip: Trip, rates: Rates) -> None:
        """Count fees in other assets."""
        fees, whole = trip.fees(rates)
        self.valued += fees - money(trip.fee_e8)
        self.unvalued += not whole
        for asset, amount in trip.other_fees:
            self.other_fees[asset] = self.other_fees.get(asset, 0) + amount

    def merge(self, other: "Sums") -> None:
        """Count what was added up apart."""
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for asset, amount in other.other_fees.items():
            self.other_fees[asset] = self.other_fees.get(asset, 0) + amount
        for mine, theirs in (
            (self.mark_out2_units, other.mark_out2_units),
            (self.mark_out_trips, other.mark_out_trips),
        ):
            mine[:] = map(int.__add__, mine, theirs)

    def _look(self, trip: Trip) -> None:
        assert trip.adverse2_units is not None and trip.favour2_units is not None
        self.looked += 1
        self.adverse2_units += trip.adverse2_units
        self.favour2_units += trip.favour2_units
        for k, moved in enumerate(trip.mark_out2_units):
            if moved is not None:
                self.mark_out2_units[k] += moved
                self.mark_out_trips[k] += 1


_ADDED = (
    "trips", "wins", "unvalued", "gross_units", "entry_units", "exit_units", "fee_e8", "valued", "carry", "funding_e8",
    "hold_ms", "lots", "maker_lots", "slip_level_units", "slip_mid2_units", "adverse2_units", "favour2_units", "looked",
)  # fmt: skip
"""Fields of sums that are plainly added."""
_SUMMED = (
    "gross_units", "entry_units", "exit_units", "fee_e8", "hold_ms", "lots", "maker_lots", "slip_level_units",
    "slip_mid2_units",
)  # fmt: skip
"""Those of them that columns have."""


@record
class Totals:
    """Sums in the settlement asset; `None` where nothing was known to sum."""

    trips: int
    wins: int
    gross: Decimal
    fees: Decimal
    """Valued; what has no rate is in `unvalued_fees` only."""
    funding: Decimal
    net: Decimal
    net_bps: Decimal
    """Of the volume of the entries."""
    entry_volume: Decimal
    fees_by_asset: dict[str, Decimal]
    unvalued_fees: dict[str, Decimal]
    unvalued_trips: int
    maker_share: Decimal
    mean_hold_ms: int
    slippage_level: Decimal
    """Over the fills that had a level, positive is against us; the next over those with a mid."""
    slippage_mid: Decimal
    mark_out: dict[str, Decimal | None]
    mark_out_trips: dict[str, int]
    adverse: Decimal | None
    favour: Decimal | None


class Tally:
    """Adds trips up as they close: the total, the groups of one key, and the minutes of the course."""

    def __init__(self, rates: Rates, key: Key | None = None) -> None:
        self._rates, self._key = rates, key
        self._sums: dict[tuple[str, str], Sums] = {}
        self.stretch_ms = 1_000
        self.stretches: dict[int, list[int]] = {}
        """Stretch of time of the exit -> gross, fees, funding, net in 1e-12, and trips."""

    def add(self, trip: Trip) -> None:
        sums = self._held(self._key(trip) if self._key else "", trip.instrument)
        gross = (trip.exit_units - trip.entry_units) * trip.side * sums.unit_e12
        fees, funding = trip.fee_e8 * _FINER, trip.funding_e8 * _FINER
        if trip.carry:
            gross += int((trip.carry * E12).to_integral_value(ROUND_HALF_EVEN))
        if trip.other_fees:
            fees = int(trip.fees(self._rates)[0] * E12)
        net = gross - fees + funding
        sums.add(trip, net)
        if trip.other_fees:
            sums.foreign(trip, self._rates)
        self._count(trip.exit_ms, gross, fees, funding, net)

    def add_columns(self, fills: Fills, found: Columns, others: Sequence[tuple[int, Trip]]) -> None:
        """Count the trips of columns and, closed after so many of those, other trips."""
        names = self._key.of_rows(fills, found.rows) if self._key else [""] * len(found.rows)
        if found.rows:
            for name in self._in_order(names, others):
                self._held(name, fills.instrument)
            self._add_columns(fills.instrument, found, names)
        for _, trip in others:
            self.add(trip)

    def _in_order(self, names: list[str], others: Sequence[tuple[int, Trip]]) -> Iterable[str]:
        """Groups in the order in which trips of them were closed: what is shown keeps it."""
        if not others or not self._key:
            return dict.fromkeys(names)
        every = names[:]
        for at, trip in reversed(others):
            every.insert(at, self._key(trip))
        return dict.fromkeys(every)

    def _add_columns(self, instrument: Instrument, found: Columns, names: list[str]) -> None:
        unit = self._held(names[0], instrument).unit_e12
        # In the coarsest unit both are whole in: large numbers are several times slower.
        shared = gcd(unit, _FINER)
        fees = found.fee_e8 if shared == _FINER else map(mul, found.fee_e8, repeat(_FINER // shared))
        won = list(map(gt, map(mul, found.gross_units, repeat(unit // shared)), fees))
        places: dict[str, list[int]] = {name: [] for name in dict.fromkeys(names)}
        kept = {name: held.append for name, held in places.items()}
        for place, keep in enumerate(map(kept.__getitem__, names)):
            keep(place)
        for name, held in places.items():
            pick = _same if len(places) == 1 else picked(held)
            self._held(name, instrument).add_columns(found, len(held), sum(pick(won)), pick)
        self._count_columns(found.exit_ms, found.gross_units, found.fee_e8, unit)

    def _count_columns(self, exit_ms: Sequence[int], gross: Sequence[int], fees: Sequence[int], unit: int) -> None:
        """The course, of trips in the order of their exits: those of one stretch follow each other."""
        stretch_ms, begin = self.stretch_ms, 0
        while begin < len(exit_ms):
            start_ms = exit_ms[begin] // stretch_ms * stretch_ms
            end = bisect_left(exit_ms, start_ms + stretch_ms, begin, min(begin + _NEAR, len(exit_ms)))
            if end == begin + _NEAR:
                end = bisect_left(exit_ms, start_ms + stretch_ms, end)
            won, lost = sum(gross[begin:end]) * unit, sum(fees[begin:end]) * _FINER
            self._count(start_ms, won, lost, 0, won - lost, end - begin)
            begin = end

    def _held(self, name: str, instrument: Instrument) -> Sums:
        group = (name, instrument.symbol)
        sums = self._sums.get(group)
        if sums is None:
            sums = self._sums[group] = Sums(instrument, _whole_e12(instrument.unit))
        return sums

    def fresh(self) -> "Tally":
        """A tally of the same kind, of nothing."""
        return Tally(self._rates, self._key)

    def detach(self) -> None:
        """Let go of what no other process can be sent. Nothing can be added by group from then on."""
        self._key = None

    def merge(self, other: "Tally") -> None:
        """Count what was added up apart."""
        for group, sums in other._sums.items():
            held = self._sums.get(group)
            if held is None:
                held = self._sums[group] = Sums(sums.instrument, sums.unit_e12)
            held.merge(sums)
        while other.stretch_ms < self.stretch_ms:
            other._widen()
        while self.stretch_ms < other.stretch_ms:
            self._widen()
        for stretch, figures in other.stretches.items():
            _put(self.stretches, stretch, figures[:])
        while len(self.stretches) > MOST_STRETCHES:
            self._widen()

    def total(self, symbol: str | None = None) -> Totals:
        """Over everything, or over one symbol."""
        return totals([each for (_, name), each in self._sums.items() if symbol in (None, name)], self._rates)

    def groups(self) -> dict[str, Totals]:
        """By the key, in its natural order."""
        names = sorted({group for group, _ in self._sums}, key=_natural)
        return {
            name: totals([each for (group, _), each in self._sums.items() if group == name], self._rates)
            for name in names
        }

    def course(self, most: int) -> "tuple[Point, ...]":
        """Cumulative figures at no more than `most` moments, the last one always among them."""
        known = sorted(self.stretches)
        keep = {known[-1 - (len(known) - 1) * back // max(1, most - 1)] for back in range(most)} if known else set()
        points, sums = [], [0, 0, 0, 0, 0]
        for stretch in known:
            sums = [one + other for one, other in zip(sums, self.stretches[stretch], strict=True)]
            if stretch in keep:
                points.append(_point((stretch + 1) * self.stretch_ms, sums))
        return tuple(points)

    def _count(self, exit_ms: int, gross: int, fees: int, funding: int, net: int, trips: int = 1) -> None:
        stretch = exit_ms // self.stretch_ms
        held = self.stretches.get(stretch)
        if held is None:
            self.stretches[stretch] = [gross, fees, funding, net, trips]
            while len(self.stretches) > MOST_STRETCHES:
                self._widen()
            return
        held[0] += gross
        held[1] += fees
        held[2] += funding
        held[3] += net
        held[4] += trips

    def _widen(self) -> None:
        """A long history is told in longer stretches: what is kept stays small."""
        self.stretch_ms *= 2
        wide: dict[int, list[int]] = {}
        for stretch, figures in self.stretches.items():
            _put(wide, stretch // 2, figures)
        self.stretches = wide


def _put(stretches: dict[int, list[int]], stretch: int, figures: list[int]) -> None:
    """Add figures to a stretch; they are kept as they are where it has none yet."""
    held = stretches.get(stretch)
    if held is None:
        stretches[stretch] = figures
    else:
        held[:] = map(int.__add__, held, figures)


@record
class Point:
    """The course up to the end of one stretch of time, cumulative, in the settlement asset."""

    at_ms: int
    trips: int
    gross: Decimal
    fees: Decimal
    funding: Decimal
    net: Decimal


def _point(at_ms: int, sums: list[int]) -> Point:
    gross, fees, funding, net = (Decimal(each).scaleb(-12) for each in sums[:4])
    return Point(at_ms=at_ms, trips=sums[4], gross=gross, fees=fees, funding=funding, net=net)


def totals(parts: Iterable[Sums], rates: Rates) -> Totals:
    """Sums of several instruments of one settlement asset as money."""
    held = list(parts)
    gross = _sum(s.instrument.unit * s.gross_units + s.carry for s in held)
    fees = _sum(money(s.fee_e8) + s.valued for s in held)
    funding = _sum(money(s.funding_e8) for s in held)
    volume = _sum(s.instrument.unit * s.entry_units for s in held)
    by_asset: dict[str, Decimal] = {}
    for sums in held:
        _charge(by_asset, sums.instrument.settle_asset, sums.fee_e8)
        for asset, amount in sums.other_fees.items():
            _charge(by_asset, asset, amount)
    settled = {sums.instrument.settle_asset for sums in held}
    trips = sum(s.trips for s in held)
    lots = sum(s.lots for s in held)
    net = gross - fees + funding
    outs = {k: sum(s.mark_out_trips[k] for s in held) for k in range(len(HORIZONS_MS))}
    names = [f"{ms // 1_000}s" for ms in HORIZONS_MS]
    return Totals(
        trips=trips,
        wins=sum(s.wins for s in held),
        gross=gross,
        fees=fees,
        funding=funding,
        net=net,
        net_bps=_rounded(net * 10_000 / volume, "0.01") if volume else Decimal(0),
        entry_volume=volume,
        fees_by_asset=by_asset,
        unvalued_fees={a: v for a, v in by_asset.items() if a not in settled and a not in rates},
        unvalued_trips=sum(s.unvalued for s in held),
        maker_share=_rounded(Decimal(sum(s.maker_lots for s in held)) / lots, "0.0001") if lots else Decimal(0),
        mean_hold_ms=sum(s.hold_ms for s in held) // trips if trips else 0,
        slippage_level=_units(held, "slip_level_units", 1),
        slippage_mid=_units(held, "slip_mid2_units", 2),
        mark_out={
            name: _sum(s.instrument.unit * s.mark_out2_units[k] / 2 for s in held) if outs[k] else None
            for k, name in enumerate(names)
        },
        mark_out_trips={name: outs[k] for k, name in enumerate(names)},
        adverse=_units(held, "adverse2_units", 2) if any(s.looked for s in held) else None,
        favour=_units(held, "favour2_units", 2) if any(s.looked for s in held) else None,
    )


def _same(column: Sequence[int]) -> Sequence[int]:
    return column


def _units(held: list[Sums], name: str, parts: int) -> Decimal:
    return _sum(s.instrument.unit * getattr(s, name) / parts for s in held)


def _charge(book: dict[str, Decimal], asset: str, amount_e8: int) -> None:
    if amount_e8:
        book[asset] = book.get(asset, Decimal(0)) + money(amount_e8)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, start=Decimal(0))


def _rounded(value: Decimal, step: str) -> Decimal:
    return value.quantize(Decimal(step), ROUND_HALF_EVEN)


def _natural(name: str) -> tuple[int, str]:
    """Levels by number, words by letter."""
    return (int(name), "") if name.lstrip("-").isdigit() else (0, name)


def _whole_e12(unit: Decimal) -> int:
    scaled = int(unit * E12)
    assert scaled == unit * E12, f"a tick of a lot is finer than 1e-12: {unit}"
    return scaled
