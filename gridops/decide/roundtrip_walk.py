"""Which fill closes which, a stretch of rows at a time: what `roundtrip_pairing` does fill by fill.

Above the columns of fills, beside the pairing, whose books it takes and leaves. Most trips are plain: one whole fill
opened them and one whole fill closed them. Of those it keeps two rows and makes no object; every other trip is built
as ever. It adds nothing up.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from operator import mul

from gridops.decide.roundtrip_fills import OUTSIDE
from gridops.decide.roundtrip_pairing import NEVER_MS, OpenTrip, Pairing
from gridops.decide.roundtrip_trip import Trip, build

ROWS = 8_192
"""Of one stretch: its columns stay in the processor's cache."""


@dataclass(slots=True)
class Stretch:
    """What the rows from `start` on closed, in the order of closing. Rows in it count from `start`."""

    start: int
    stop: int
    opens: list[int] = field(default_factory=list)
    """Rows that opened lots with all of theirs."""
    entries: list[int] = field(default_factory=list)
    """Per plain rung trip: the place in `opens` of the row that opened it; next, the row that closed it."""
    exits: list[int] = field(default_factory=list)
    rungs: list[tuple[int, Trip]] = field(default_factory=list)
    """Every other rung trip, and how many plain ones were closed before it."""
    firsts: list[int] = field(default_factory=list)
    """Per plain episode, all of whose rows are in the stretch: its first row; next, its last."""
    lasts: list[int] = field(default_factory=list)
    open_from: list[int] = field(default_factory=list)
    """Places in `opens` from its first row on, and to before the end."""
    open_to: list[int] = field(default_factory=list)
    episodes: list[tuple[int, Trip]] = field(default_factory=list)


def stretches(pairing: Pairing, until_ms: int = NEVER_MS, rows: int | None = None) -> Iterator[Stretch]:
    """Book what `Pairing.run` books. Whoever stops asking leaves the books at the end of a stretch."""
    fills = pairing.fills
    times = fills.at_ms
    stop = bisect_right(times, until_ms)
    if rows is not None:
        stop = min(stop, rows)
    while pairing.next_row < stop:
        start = pairing.next_row
        due_ms = pairing.fund_until(times[start] - 1)
        end = min(stop, start + ROWS, bisect_right(times, due_ms, start))
        yield _Walk(pairing, start, end).run() if _usual(pairing, start, end) else _one_by_one(pairing, start, end)
    if rows is None:
        pairing.fund_until(until_ms)


def _usual(pairing: Pairing, start: int, stop: int) -> bool:
    """Fees in the settlement asset alone, and no row without lots."""
    return not any(pairing.fills.fee_asset[start:stop]) and 0 not in pairing.fills.lots[start:stop]


def _one_by_one(pairing: Pairing, start: int, stop: int) -> Stretch:
    found = Stretch(start, stop)
    for row in range(start, stop):
        for trip in pairing.take(row):
            (found.episodes if trip.episode else found.rungs).append((0, trip))
    pairing.next_row = stop
    return found


class _Walk:
    """Books as parallel lists, the oldest rung first: a list is searched several times faster than objects are."""

    def __init__(self, pairing: Pairing, start: int, stop: int) -> None:
        self._pairing, self._fills, self._found = pairing, pairing.fills, Stretch(start, stop)
        rungs = pairing.books.rungs
        self._cells = [each.cell for each in rungs]
        self._left = [each.remaining for each in rungs]
        self._rungs: list[OpenTrip | int] = list(rungs)
        """A plain rung is its place in `opens`."""
        self._orders: list[int] = []
        """Of the open rungs; kept where an order may fill more than once."""
        self._episode = pairing.books.episode
        """Kept where it is not plain; then `_since` is the first row it has no slice of yet."""
        self._since = 0
        self._first_open = 0

    def run(self) -> Stretch:
        """Walk, and leave the books at the end."""
        found, fills = self._found, self._fills
        start, stop, position = found.start, found.stop, self._pairing.books.position
        every = fills.order[start:stop].tolist()
        lots, signs = fills.lots[start:stop].tolist(), fills.sign[start:stop].tolist()
        moves = list(map(mul, signs, lots))
        cells = list(map(abs, fills.level[start:stop].tolist()))
        held = list(accumulate(moves, initial=position))
        if self._joins(every):
            position = self._walk_joining(cells, lots, moves, held, every)
        else:
            position = self._walk(cells, lots, moves, held, every)
        self._leave(position)
        return found

    def _joins(self, orders: list[int]) -> bool:
        """May one of them fill more than once, or one that is open fill again?"""
        distinct = set(orders)
        return len(distinct) < len(orders) or OUTSIDE in distinct or not distinct.isdisjoint(self._open_orders())

    def _open_orders(self) -> list[int]:
        return [self._order_of(each) for each in self._rungs]

    def _order_of(self, rung: "OpenTrip | int") -> int:
        if isinstance(rung, OpenTrip):
            return rung.order
        return self._fills.order[self._found.start + self._found.opens[rung]]

    def _walk(self, closing: list[int], lots: list[int], moves: list[int], held: list[int], orders: list[int]) -> int:
        """No order fills twice: each row that opens lots opens a rung. Spelt out, for there may be a million rows."""
        found, cells, left, rungs = self._found, self._cells, self._left, self._rungs
        opens, entries, exits = found.opens, found.entries, found.exits
        for row, cell, count, moved, before in zip(range(len(lots)), closing, lots, moves, held, strict=False):
            if before * moved >= 0:
                if not before:
                    self._since, self._first_open = row, len(opens)
                cells.append(cell)
                left.append(count)
                rungs.append(len(opens))
                opens.append(row)
                continue
            at = cells.index(cell) if cell and cell in cells else 0
            rung = rungs[at]
            if left[at] == count and isinstance(rung, int):
                entries.append(rung)
                exits.append(row)
                del cells[at], left[at], rungs[at]
            else:
                self._close(row, cell, orders[row], before)
            if not before + moved:
                self._end(row, count)
        return held[-1]

    def _walk_joining(
        self, closing: list[int], lots: list[int], moves: list[int], held: list[int], every: list[int]
    ) -> int:
        """The same where an order may fill more than once."""
        found, cells, left, rungs = self._found, self._cells, self._left, self._rungs
        self._orders = orders = self._open_orders()
        opens = found.opens
        for row, (cell, count, moved, before, order) in enumerate(
            zip(closing, lots, moves, held[:-1], every, strict=True)
        ):
            if before * moved >= 0:
                if not before:
                    self._since, self._first_open = row, len(opens)
                if order and order in orders:
                    self._join(orders.index(order), row, count)
                else:
                    cells.append(cell)
                    orders.append(order)
                    left.append(count)
                    rungs.append(len(opens))
                opens.append(row)
                continue
            at = cells.index(cell) if cell and cell in cells else 0
            rung = rungs[at]
            if left[at] == count and isinstance(rung, int):
                found.entries.append(rung)
                found.exits.append(row)
                del cells[at], orders[at], left[at], rungs[at]
            else:
                self._close(row, cell, order, before)
            if not before + moved:
                self._end(row, count)
        return held[-1]

    def _join(self, at: int, row: int, lots: int) -> None:
        """An order filled once more."""
        self._held(at).slices.append((self._found.start + row, 0, lots))
        self._left[at] += lots

    def _held(self, at: int) -> OpenTrip:
        """A rung with its slices, plain no longer."""
        held = self._rungs[at]
        if isinstance(held, OpenTrip):
            return held
        row = self._found.start + self._found.opens[held]
        trip = OpenTrip(self._cells[at], self._order_of(held))
        trip.slices.append((row, 0, self._fills.lots[row]))
        self._rungs[at] = trip
        return trip

    def _close(self, row: int, cell: int, order: int, position: int) -> None:
        """Close with parts of rows, and open with what is left."""
        found, number = self._found, self._found.start + row
        lots, done = self._fills.lots[number], 0
        closing = min(lots, abs(position))
        while done < closing:
            at = self._cells.index(cell) if cell and cell in self._cells else 0
            trip, taken = self._held(at), min(closing - done, self._left[at])
            trip.slices.append((number, done, done + taken))
            done += taken
            self._left[at] -= taken
            if not self._left[at]:
                found.rungs.append((len(found.exits), self._built(trip, episode=False)))
                del self._cells[at], self._left[at], self._rungs[at], self._orders[at : at + 1]
        if lots > closing:
            self._end(row, closing)
            self._episode, self._since = OpenTrip(0, OUTSIDE), row + 1
            self._cells.append(cell)
            self._orders.append(order)
            self._left.append(lots - closing)
            self._rungs.append(OpenTrip(cell, order))
            for trip in (self._episode, self._held(0)):
                trip.slices.append((number, closing, lots))

    def _end(self, row: int, lots: int) -> None:
        """The episode ends with so many lots of the row."""
        found, episode = self._found, self._episode
        if episode is None and lots == self._fills.lots[found.start + row]:
            found.firsts.append(self._since)
            found.lasts.append(row)
            found.open_from.append(self._first_open)
            found.open_to.append(len(found.opens))
            return
        episode = self._followed(row)
        episode.slices.append((found.start + row, 0, lots))
        found.episodes.append((len(found.lasts), self._built(episode, episode=True)))
        self._episode = None

    def _followed(self, row: int) -> OpenTrip:
        """The open episode with the slices of all rows before this one."""
        episode = self._episode or OpenTrip(0, OUTSIDE)
        begin, end = self._found.start + self._since, self._found.start + row
        episode.slices += [(each, 0, lots) for each, lots in enumerate(self._fills.lots[begin:end], begin)]
        return episode

    def _built(self, trip: OpenTrip, *, episode: bool) -> Trip:
        return build(self._fills, trip.slices, trip.funding_e8, self._pairing.outs, episode=episode)

    def _leave(self, position: int) -> None:
        pairing, found = self._pairing, self._found
        books = pairing.books
        books.rungs = [self._held(at) for at in range(len(self._rungs))]
        for trip, left in zip(books.rungs, self._left, strict=True):
            trip.remaining = left
        books.position, books.episode = position, None
        if position:
            books.episode = self._followed(found.stop - found.start)
            books.episode.remaining = abs(position)
        pairing.next_row = found.stop
