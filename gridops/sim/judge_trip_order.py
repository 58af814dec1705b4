"""Round trips against the venue's own order of fills: who closed whom must not depend on when we heard of it.

The judge's part that pairs once more, by the definition of a rung and an episode and in the order in which the venue
made the fills. Two answers are held against it at the end: what a pairing of the journal's fills says, which came in
whatever order, and every trip the journal tells of. A stretch from flat to flat whose fills came out of order may be
cut otherwise by a running book; its sums may not differ.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from gridops.decide.roundtrip_fills import Fills
from gridops.decide.roundtrip_pairing import Pairing
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Fill
from gridops.domain.records import TripClosed
from gridops.domain.vocabulary import Side
from gridops.sim.violation import Verdicts


class Execution(NamedTuple):
    """One fill as the venue's own event tells it: venue time in ms, price in ticks."""

    at_ms: int
    trade_id: int
    sign: int
    price_ticks: int
    lots: int


class Cut(NamedTuple):
    """A closed trip by what can be counted: +1 opened by buying, lots entered, ticks x lots."""

    sign: int
    lots: int
    entry_units: int
    exit_units: int


@dataclass(slots=True)
class _Held:
    """What one order, or one stretch from flat on, has entered."""

    cell: int
    order: str
    sign: int
    lots: int = 0
    left: int = 0
    entry_units: int = 0
    exit_units: int = 0

    def cut(self) -> Cut:
        return Cut(self.sign, self.lots, self.entry_units, self.exit_units)


class TripOrder:
    """Fills and trips of one symbol, in the orders in which they were made and told."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._say = verdicts.broken
        self.checks = 0
        self.instrument: Instrument | None = None
        self._told: list[Fill] = []
        """By the journal, in the order of arrival."""
        self._trips: list[tuple[int, Cut]] = []
        """Each with the number of fills that were booked when it closed."""

    def filled(self, fill: Fill) -> None:
        """A fill was booked."""
        self._told.append(fill)

    def closed(self, trip: TripClosed) -> None:
        """A trip was told of."""
        cut = Cut(Side(trip.side).sign, trip.lots, trip.entry_ticks_x_lots, trip.exit_ticks_x_lots)
        self._trips.append((len(self._told), cut))

    def settle(self, executions: Iterable[Execution]) -> None:
        """At the end, when every fill is booked; the venue's executions in its own order."""
        self.checks += 3
        known = {fill.trade_id: fill for fill in self._told}
        made = [each for each in executions if each.trade_id in known]
        told = sorted(map(_execution, self._told))
        if told != made:
            odd = sorted(set(told) ^ set(made)) or [now for now, was in zip(told, made, strict=True) if now != was]
            self._say("I-22", f"in the venue's order the journal's fills are not the venue's: {odd[:3]}")
            return
        fills = [known[each.trade_id] for each in made]
        self._paired(fills)
        places = {fill.trade_id: place for place, fill in enumerate(fills)}
        arrived = [places[fill.trade_id] for fill in self._told]
        for start, stop in pairwise(_flat(fills, arrived)):
            self._stretch(fills[start:stop], arrived[start:stop], start, stop)

    def _paired(self, fills: Sequence[Fill]) -> None:
        """The pairing that reports are made of, over fills as they arrived, against the venue's order of them."""
        if self.instrument is None:
            return
        book = Fills(self.instrument)
        numbers = {"": 0}
        for each in self._told:
            number = numbers.setdefault(each.client_id, len(numbers))
            book.add(
                each.trade_id, each.at_ms, each.side.sign, each.price_ticks, each.lots, level=each.level, order=number
            )
        book.sort()
        found = list(Pairing(book).run())
        for what, episode, wanted in (("rung", False, rungs(fills)), ("episode", True, episodes(fills))):
            said = Counter(Cut(t.side, t.lots, t.entry_units, t.exit_units) for t in found if t.episode is episode)
            if said != Counter(wanted):
                odd = sorted((said - Counter(wanted)) + (Counter(wanted) - said))
                self._say("I-22", f"{what} trips depend on the order of arrival: {odd[:3]}")

    def _stretch(self, fills: Sequence[Fill], arrived: Sequence[int], start: int, stop: int) -> None:
        """Trips told between two moments at which every fill so far was booked and nothing was open."""
        self.checks += 1
        said = [cut for booked, cut in self._trips if start < booked <= stop]
        wanted = list(rungs(fills))
        in_order = list(arrived) == list(range(start, stop))
        if in_order and Counter(said) != Counter(wanted):
            odd = sorted((Counter(said) - Counter(wanted)) + (Counter(wanted) - Counter(said)))
            self._say("I-22", f"fills {start} to {stop} came in order, and their trips differ: {odd[:3]}")
        elif not in_order and not _open(fills) and _earned(said) != _earned(wanted):
            self._say("I-22", f"fills {start} to {stop}: trips earned {_earned(said)} units, not {_earned(wanted)}")


def rungs(fills: Sequence[Fill]) -> Iterator[Cut]:
    """Each opening order is a trip: closed by its own cell's fills first, then by others', oldest first."""
    held: list[_Held] = []
    for fill in fills:
        left, sign, cell = fill.lots, fill.side.sign, abs(fill.level)
        while left and held and held[0].sign != sign:
            mates = [each for each in held if each.cell == cell] if cell else []
            each = (mates or held)[0]
            taken = min(left, each.left)
            each.left, left = each.left - taken, left - taken
            each.exit_units += taken * fill.price_ticks
            if not each.left:
                held.remove(each)
                yield each.cut()
        if left:
            mates = [each for each in held if each.order == fill.client_id] if fill.client_id else []
            if not mates:
                mates = [_Held(cell, fill.client_id, sign)]
                held += mates
            _enter(mates[0], left, fill.price_ticks)


def episodes(fills: Sequence[Fill]) -> Iterator[Cut]:
    """Flat to flat; what goes through zero is split there."""
    held: _Held | None = None
    for fill in fills:
        left, sign = fill.lots, fill.side.sign
        if held is not None and held.sign != sign:
            taken = min(left, held.left)
            held.left, left = held.left - taken, left - taken
            held.exit_units += taken * fill.price_ticks
            if not held.left:
                yield held.cut()
                held = None
        if left:
            held = held or _Held(0, "", sign)
            _enter(held, left, fill.price_ticks)


def _enter(held: _Held, lots: int, price_ticks: int) -> None:
    held.lots += lots
    held.left += lots
    held.entry_units += lots * price_ticks


def _execution(fill: Fill) -> Execution:
    return Execution(fill.at_ms, fill.trade_id, fill.side.sign, fill.price_ticks, fill.lots)


def _open(fills: Sequence[Fill]) -> int:
    return sum(fill.side.sign * fill.lots for fill in fills)


def _earned(cuts: Sequence[Cut]) -> int:
    return sum((cut.exit_units - cut.entry_units) * cut.sign for cut in cuts)


def _flat(fills: Sequence[Fill], arrived: Sequence[int]) -> list[int]:
    """Numbers of fills at which exactly the venue's first so many were booked and nothing was open; and the end."""
    found, newest, held = [0], -1, 0
    for count, place in enumerate(arrived, 1):
        newest = max(newest, place)
        held += fills[count - 1].side.sign * fills[count - 1].lots
        if not held and newest == count - 1:
            found.append(count)
    return found if found[-1] == len(fills) else [*found, len(fills)]
