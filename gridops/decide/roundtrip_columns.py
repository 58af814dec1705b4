"""The plain trips of a stretch of rows as columns: every figure that is added up, and no object per trip.

Between the walk, which says which row closed which, and the tally. It says of each plain trip what `roundtrip_trip`
says of any: the same whole numbers. Of a plain rung trip they are those of two rows; of a plain episode, whose rows
follow each other, they are differences of running sums.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from operator import add, lt, mul, neg, sub
from typing import Any

from gridops.decide.roundtrip_fills import Fills
from gridops.decide.roundtrip_marks import Marks
from gridops.decide.roundtrip_near import EVERY, NOTHING, Column, Near, picked
from gridops.decide.roundtrip_trip import HORIZONS_MS
from gridops.decide.roundtrip_walk import Stretch


@dataclass(slots=True)
class Looks:
    """What the mid did, per trip. Of a trip while which no mid was seen all is 0."""

    looked: Column = ()
    """1 or 0, as is `known`; EVERY for all."""
    adverse2_units: Column = ()
    favour2_units: Column = ()
    moved2_units: list[Column] = field(default_factory=list)
    """Per horizon, 0 where the mid was not known; next, where it was."""
    known: list[Column] = field(default_factory=list)


@dataclass(slots=True)
class Columns:
    """Closed trips of one level, in the order of closing. Fields are those of `Trip`."""

    rows: Column
    """Of the fill that opened it, in all fills."""
    exit_ms: Column
    hold_ms: Column
    entry_units: Column
    exit_units: Column
    gross_units: Column
    """Exit less entry times the side: what it earned."""
    fee_e8: Column
    lots: Column
    """Entered and closed."""
    maker_lots: Column
    slip_level_units: Column
    slip_mid2_units: Column
    looks: Looks | None
    """None where no mid was ever seen."""


@dataclass(slots=True)
class _Rows:
    """Figures of whole rows of a stretch."""

    at_ms: Column
    signed_lots: Column
    paid2: Column
    """Twice the units, negative where they were sold."""
    units: Column
    earned: Column
    """Units, negative where they were bought."""
    fee_e8: Column
    lots: Column
    maker_lots: Column
    slip_level_units: Column
    slip_mid2_units: Column


def columns(fills: Fills, marks: Marks | None, found: Stretch) -> tuple[Columns, Columns]:
    """Plain trips of both levels, rungs first."""
    rows = _rows(fills, found)
    seen = None if marks is None else _Seen(marks, found, rows)
    return _rungs(found, rows, seen), _episodes(found, rows, seen)


def _rows(fills: Fills, found: Stretch) -> _Rows:
    start, stop = found.start, found.stop
    lots, sign = fills.lots[start:stop].tolist(), fills.sign[start:stop].tolist()
    price, maker = fills.price[start:stop], fills.maker[start:stop]
    level, mid2 = fills.intended[start:stop], fills.mid2[start:stop]
    signed = list(map(mul, sign, lots))
    paid = list(map(mul, price.tolist(), signed))
    paid2 = list(map(mul, paid, repeat(2)))
    return _Rows(
        at_ms=fills.at_ms[start:stop].tolist(),
        signed_lots=signed,
        paid2=paid2,
        units=list(map(abs, paid)),
        earned=list(map(neg, paid)),
        fee_e8=fills.fee_e8[start:stop].tolist(),
        lots=lots,
        maker_lots=[count if made else 0 for count, made in zip(lots, maker, strict=True)] if 0 in maker else lots,
        slip_level_units=NOTHING if price == level else _beyond(paid, level, signed),
        slip_mid2_units=_beyond(paid2, mid2, signed),
    )


def _beyond(paid: Column, wanted: "array[int]", signed: Column) -> Column:
    """What was paid less what was wanted for it; nothing where none was wanted."""
    off = map(sub, paid, map(mul, wanted.tolist(), signed))
    if 0 not in wanted:
        return list(off)
    return [each if want else 0 for each, want in zip(off, wanted, strict=True)]


def _rungs(found: Stretch, rows: _Rows, seen: "_Seen | None") -> Columns:
    opened = picked(found.entries)(found.opens)
    enter, leave = picked(opened), picked(found.exits)

    def both(column: Column) -> Column:
        return NOTHING if column is NOTHING else list(map(add, enter(column), leave(column)))

    exit_ms, lots = leave(rows.at_ms), both(rows.lots)
    return Columns(
        rows=[found.start + row for row in opened],
        exit_ms=exit_ms,
        hold_ms=list(map(sub, exit_ms, enter(rows.at_ms))),
        entry_units=enter(rows.units),
        exit_units=leave(rows.units),
        gross_units=both(rows.earned),
        fee_e8=both(rows.fee_e8),
        lots=lots,
        maker_lots=lots if rows.maker_lots is rows.lots else both(rows.maker_lots),
        slip_level_units=both(rows.slip_level_units),
        slip_mid2_units=both(rows.slip_mid2_units),
        looks=None if seen is None else seen.rungs(found.entries, found.exits),
    )


def _episodes(found: Stretch, rows: _Rows, seen: "_Seen | None") -> Columns:
    begin, end = picked(found.firsts), picked([last + 1 for last in found.lasts])

    def between(column: Iterable[int]) -> Column:
        return NOTHING if column is NOTHING or not found.firsts else differences(column, begin, end)

    entered: Column = ()
    if found.firsts:
        opened = picked(found.opens)(rows.units)
        entered = differences(opened, picked(found.open_from), picked(found.open_to))
    lots, left = between(rows.lots), list(map(sub, between(rows.units), entered))
    ways = [1 if signed > 0 else -1 for signed in begin(rows.signed_lots)]
    exit_ms = picked(found.lasts)(rows.at_ms)
    return Columns(
        rows=[found.start + row for row in found.firsts],
        exit_ms=exit_ms,
        hold_ms=list(map(sub, exit_ms, begin(rows.at_ms))),
        entry_units=entered,
        exit_units=left,
        gross_units=list(map(mul, map(sub, left, entered), ways)),
        fee_e8=between(rows.fee_e8),
        lots=lots,
        maker_lots=lots if rows.maker_lots is rows.lots else between(rows.maker_lots),
        slip_level_units=between(rows.slip_level_units),
        slip_mid2_units=between(rows.slip_mid2_units),
        looks=None if seen is None else seen.episodes(found, entered, lots, ways),
    )


def differences(
    column: Iterable[int],
    begin: Callable[[Sequence[Any]], Sequence[Any]],
    end: Callable[[Sequence[Any]], Sequence[Any]],
) -> Column:
    """Sums of a column from each place of `begin` to before that of `end`."""
    sums = list(accumulate(column, initial=0))
    return list(map(sub, end(sums), begin(sums)))


class _Seen:
    """The mid after every row that opened lots, and its extremes between rows."""

    def __init__(self, marks: Marks, found: Stretch, rows: _Rows) -> None:
        count, every_ms = len(rows.at_ms), rows.at_ms
        self._near = near = Near(marks, every_ms[0], every_ms[-1] + HORIZONS_MS[-1], count)
        self._at_ms = list(map(sub, every_ms, repeat(near.origin)))
        opens = picked(found.opens)
        self._signed, self._paid2, at_ms = opens(rows.signed_lots), opens(rows.paid2), opens(self._at_ms)
        self._first = near.places(at_ms, after=False)
        self._moved: list[Column] = []
        self._known: list[Column] = []
        """NOTHING where all are known."""
        for horizon_ms in HORIZONS_MS:
            mids, known = near.mids(map(add, at_ms, repeat(horizon_ms)))
            moved = list(map(sub, map(mul, mids, self._signed), self._paid2))
            for unknown in [at for at, told in enumerate(known) if not told]:
                moved[unknown] = 0
            self._moved.append(moved)
            self._known.append(known)

    def rungs(self, entries: Column, exits: Column) -> Looks:
        """Of trips that a place in `opens` and a row make."""
        enter = picked(entries)
        looks = self._excursions(enter(self._first), exits, enter(self._paid2), enter(self._signed))
        for moved, known in zip(self._moved, self._known, strict=True):
            both = enter(known) if known else EVERY
            if looks.looked is not EVERY:
                both = list(map(mul, enter(known), looks.looked)) if known else looks.looked
            looks.known.append(both)
            looks.moved2_units.append(
                enter(moved) if looks.looked is EVERY else list(map(mul, enter(moved), looks.looked))
            )
        return looks

    def episodes(self, found: Stretch, entered: Column, lots: Column, ways: Column) -> Looks:
        """Of trips whose rows follow each other. `lots` are those entered and closed: half of them were entered."""
        if not found.firsts:
            return Looks((), (), (), [()] * len(HORIZONS_MS), [()] * len(HORIZONS_MS))
        begin, end = picked(found.open_from), picked(found.open_to)
        held = [both // 2 * way for both, way in zip(lots, ways, strict=True)]
        paid2 = [2 * units * way for units, way in zip(entered, ways, strict=True)]
        looks = self._excursions(begin(self._first), found.lasts, paid2, held)
        opened = list(map(sub, found.open_to, found.open_from))
        for moved, known in zip(self._moved, self._known, strict=True):
            both, summed = looks.looked, differences(moved, begin, end)
            if known:
                every = repeat(1) if both is EVERY else both
                count = differences(known, begin, end)
                both = [told == all_ and look for told, all_, look in zip(count, opened, every, strict=False)]
            looks.known.append(both)
            looks.moved2_units.append(summed if both is EVERY else list(map(mul, summed, both)))
        return looks

    def _excursions(self, first: Column, exits: Column, paid2: Column, lots: Column) -> Looks:
        """`paid2` and `lots` of the entries, negative where they were sold."""
        beyond = self._near.places(picked(exits)(self._at_ms), after=True)
        looked: Column = list(map(lt, first, beyond))
        lows, highs = self._near.spans(first, beyond)
        if all(looked):
            looked = EVERY
        else:
            paid2, lots = list(map(mul, paid2, looked)), list(map(mul, lots, looked))
        worst: list[int] = []
        best: list[int] = []
        lose, earn = worst.append, best.append
        # Spelt out: calls of `min` and `max` take twice as long.
        for low, high in zip(*(map(sub, map(mul, extremes, lots), paid2) for extremes in (lows, highs)), strict=True):
            if low < high:
                lose(low if low < 0 else 0)
                earn(high if high > 0 else 0)
            else:
                lose(high if high < 0 else 0)
                earn(low if low > 0 else 0)
        return Looks(looked, worst, best)
