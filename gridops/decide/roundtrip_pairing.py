"""Which slice of which fill belongs to which round trip, at both levels. Both split at zero and own every lot once.

Above the columns of fills, below the trips. Rung: what one opening order filled is closed by fills of its own cell
first (same distance from the centre), oldest first, then by the oldest of the others. Episode: flat to flat. It folds
fills in the venue's order; `roundtrip_live` makes that order of whatever comes in.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from gridops.decide.roundtrip_fills import OUTSIDE, Fills
from gridops.decide.roundtrip_marks import Marks
from gridops.decide.roundtrip_trip import OPENING, MarkOuts, Slice, Trip, build

NEVER_MS = 1 << 62


@dataclass(slots=True)
class OpenTrip:
    """Slices of a trip that is not flat yet."""

    cell: int
    order: int
    remaining: int = 0
    funding_e8: int = 0
    slices: list[Slice] = field(default_factory=list)


@dataclass(slots=True)
class Books:
    """Open trips of one symbol at both levels. Their side is that of the position: one sign at a time."""

    position: int = 0
    rungs: list[OpenTrip] = field(default_factory=list)
    episode: OpenTrip | None = None
    unbooked_e8: int = 0
    """Funding of a moment when nothing was open."""

    def copy(self) -> "Books":
        """Independent of the original."""
        rungs = [_copied(each) for each in self.rungs]
        return Books(self.position, rungs, _copied(self.episode) if self.episode else None, self.unbooked_e8)


def _copied(trip: OpenTrip) -> OpenTrip:
    return OpenTrip(trip.cell, trip.order, trip.remaining, trip.funding_e8, trip.slices[:])


class Pairing:
    """Folds one symbol's fills into closed trips."""

    def __init__(self, fills: Fills, marks: Marks | None = None) -> None:
        self.fills = fills
        self.books = opened(fills)
        self.outs = MarkOuts(fills, marks if marks is not None and len(marks) else None)
        self.funded = 0
        """Funding rows taken so far."""
        self.next_row = 0

    def run(self, until_ms: int = NEVER_MS, rows: int | None = None) -> Iterator[Trip]:
        """Book every fill and funding row up to this venue time; the trips closed, in order. Can be resumed.

        With `rows` no more than the first so many fills, and no funding after them.
        """
        times, take = self.fills.at_ms, self.take
        due_ms = self.fund_until(-1)
        for row in range(self.next_row, len(self.fills) if rows is None else rows):
            at_ms = times[row]
            if at_ms > until_ms:
                break
            if due_ms < at_ms:
                due_ms = self.fund_until(at_ms - 1)
            self.next_row = row + 1
            closed = take(row)
            if closed:
                yield from closed
        if rows is None:
            self.fund_until(until_ms)

    def open_trips(self, *, episode: bool) -> list[Trip]:
        """What is open now, as trips without an end."""
        held = ([self.books.episode] if self.books.episode else []) if episode else self.books.rungs
        return [build(self.fills, each.slices[:], each.funding_e8, self.outs, episode=episode) for each in held]

    def take(self, row: int) -> list[Trip]:
        """Book one fill."""
        fills, books = self.fills, self.books
        sign, lots = fills.sign[row], fills.lots[row]
        held = -books.position * sign
        closing = min(lots, held) if held > 0 else 0
        books.position += sign * lots
        closed = self._close(row, closing) if closing else []
        if lots > closing:
            self._open(row, closing, lots)
        return closed

    def _close(self, row: int, lots: int) -> list[Trip]:
        """Take `lots` of what is open, from the fill's start."""
        books, done, closed = self.books, 0, []
        cell = abs(self.fills.level[row])
        while done < lots:
            trip = _pick(books.rungs, cell)
            taken = min(lots - done, trip.remaining)
            trip.slices.append((row, done, done + taken))
            trip.remaining -= taken
            done += taken
            if not trip.remaining:
                books.rungs.remove(trip)
                closed.append(build(self.fills, trip.slices, trip.funding_e8, self.outs, episode=False))
        episode = books.episode
        assert episode is not None
        episode.slices.append((row, 0, lots))
        episode.remaining -= lots
        if not episode.remaining:
            books.episode = None
            closed.append(build(self.fills, episode.slices, episode.funding_e8, self.outs, episode=True))
        return closed

    def _open(self, row: int, start: int, stop: int) -> None:
        books, order = self.books, self.fills.order[row]
        trip = None
        if order != OUTSIDE:
            for each in books.rungs:
                if each.order == order:
                    trip = each
                    break
        if trip is None:
            trip = OpenTrip(abs(self.fills.level[row]), order)
            books.rungs.append(trip)
        if books.episode is None:
            books.episode = OpenTrip(0, OUTSIDE)
        for each in (trip, books.episode):
            each.slices.append((row, start, stop))
            each.remaining += stop - start

    def fund_until(self, until_ms: int) -> int:
        """Book the funding up to then; when the next is due."""
        rows = self.fills.funding
        while self.funded < len(rows) and rows[self.funded][0] <= until_ms:
            fund(self.books, rows[self.funded][1])
            self.funded += 1
        return rows[self.funded][0] if self.funded < len(rows) else NEVER_MS


def opened(fills: Fills) -> Books:
    """Books that hold the position from before the first fill."""
    books = Books(position=fills.opening_lots)
    if fills.opening_lots:
        lots = abs(fills.opening_lots)
        rung, episode = OpenTrip(0, OUTSIDE, lots), OpenTrip(0, OUTSIDE, lots)
        rung.slices.append((OPENING, 0, lots))
        episode.slices.append((OPENING, 0, lots))
        books.rungs.append(rung)
        books.episode = episode
    return books


def fund(books: Books, amount_e8: int) -> None:
    """Share funding over what is open by size; the newest takes the rounding."""
    if books.episode is None:
        books.unbooked_e8 += amount_e8
        return
    books.episode.funding_e8 += amount_e8
    total, left = abs(books.position), amount_e8
    for trip in books.rungs[:-1]:
        share = int((Decimal(amount_e8) * trip.remaining / total).to_integral_value(ROUND_HALF_EVEN))
        trip.funding_e8 += share
        left -= share
    books.rungs[-1].funding_e8 += left


def _pick(rungs: list[OpenTrip], cell: int) -> OpenTrip:
    if cell:
        for trip in rungs:
            if trip.cell == cell:
                return trip
    return rungs[0]
