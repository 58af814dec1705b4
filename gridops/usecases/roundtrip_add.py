"""Adds an account's trips up for the report; a long history in two processes, cut where the account was flat.

Between the pairing and the report. What comes after a flat moment owns no lot from before it, so both parts are folded
at once and their sums put together; sums are whole numbers and the order of trips is kept, so nothing else changes. If
the other process cannot be started or fails, its part is folded here.
"""

import os
import pickle
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Any

from gridops.decide import roundtrip_law
from gridops.decide.roundtrip_columns import columns
from gridops.decide.roundtrip_fills import Fills
from gridops.decide.roundtrip_pairing import NEVER_MS, Books, Pairing
from gridops.decide.roundtrip_totals import Tally
from gridops.decide.roundtrip_trip import Rates, Trip, build
from gridops.decide.roundtrip_walk import Stretch, stretches
from gridops.decide.tieout import WalletRead
from gridops.usecases.roundtrip_rows import TripRow, row

FILED_TRIPS = 500
LEVELS = ("rung", "episode")
WORTH_IT = 50_000
"""Fills of one symbol from which on a second process pays."""
Export = Callable[[TripRow], None]
Owned = tuple[int, int]
"""The first and the last row of a plain trip."""


@dataclass(slots=True)
class Sums:
    """Trips added up in order."""

    tallies: dict[str, Tally]
    of: str
    rates: Rates
    laws: roundtrip_law.Books = field(default_factory=roundtrip_law.Books)
    filed: "deque[TripRow]" = field(default_factory=lambda: deque(maxlen=FILED_TRIPS))
    """The newest of the wanted level."""
    open: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))

    def take(self, pairing: Pairing, until_ms: int, rows: int | None, *, law: bool) -> None:
        """Count what closes up to a moment or a row; with `law` the law counts it too."""
        fills, marks = pairing.fills, pairing.outs.marks
        newest: deque[Owned | Trip] = deque(maxlen=FILED_TRIPS)
        for found in stretches(pairing, until_ms, rows):
            rungs, episodes = columns(fills, marks, found)
            self.tallies["rung"].add_columns(fills, rungs, found.rungs)
            self.tallies["episode"].add_columns(fills, episodes, found.episodes)
            if law:
                self.laws.closed_columns(rungs)
                for _, trip in found.rungs:
                    self.laws.closed(trip)
            newest.extend(_newest(found, self.of))
        trips = (_trip(pairing, each, self.of) for each in newest)
        self.filed.extend(row(trip, self.rates) for trip in trips)

    def take_singly(self, trips: Iterator[Trip], export: Export) -> None:
        """Count closed trips, and hand those of the wanted level on."""
        for trip in trips:
            self.tallies["episode" if trip.episode else "rung"].add(trip)
            if trip.episode is (self.of == "episode"):
                said = row(trip, self.rates)
                self.filed.append(said)
                export(said)

    def fresh(self) -> "Sums":
        """Sums of the same kind, of nothing."""
        return Sums({of: tally.fresh() for of, tally in self.tallies.items()}, self.of, self.rates)

    def merge(self, later: "Sums") -> None:
        """Count what was counted apart, of later trips than those counted here."""
        for of, tally in self.tallies.items():
            tally.merge(later.tallies[of])
        self.laws.merge(later.laws)
        self.filed.extend(later.filed)


def add(sums: Sums, pairing: Pairing, closing: WalletRead | None, export: Export | None) -> None:
    """Count one symbol; `closing` is the moment at which the law's sums are taken."""
    fills = pairing.fills
    flat = _flat_row(fills, NEVER_MS if closing is None else closing.from_ms) if export is None else 0
    if flat:
        before, rest = sums.fresh(), sums.fresh()
        answer = _elsewhere(before, pairing, flat, closing)
        later = _from_flat(fills, pairing, flat)
        _all(rest, later, closing, None)
        said = answer()
        if said is None:
            _first(before, pairing, flat, closing)
        else:
            before.tallies, before.filed = said[0], said[1]
            before.laws.merge(said[2])
        sums.merge(before)
        sums.merge(rest)
        pairing = later
    else:
        _all(sums, pairing, closing, export)
    for of in LEVELS:
        sums.open[of] += len(pairing.open_trips(episode=of == "episode"))


def _newest(found: Stretch, of: str) -> "list[Owned | Trip]":
    """The newest trips of a level that the stretch closed, in order."""
    start = found.start
    if of == "episode":
        bounds, others = zip(found.firsts, found.lasts, strict=True), found.episodes
    else:
        bounds, others = zip([found.opens[at] for at in found.entries], found.exits, strict=True), found.rungs
    every: list[Owned | Trip] = [(start + first, start + last) for first, last in bounds]
    for at, trip in reversed(others):
        every.insert(at, trip)
    return every[-FILED_TRIPS:]


def _trip(pairing: Pairing, held: "Owned | Trip", of: str) -> Trip:
    """The trip that two rows, or all from one to another, make."""
    if isinstance(held, Trip):
        return held
    episode, lots = of == "episode", pairing.fills.lots
    rows = range(held[0], held[1] + 1) if episode else held
    return build(pairing.fills, [(each, 0, lots[each]) for each in rows], 0, pairing.outs, episode=episode)


def _all(sums: Sums, pairing: Pairing, closing: WalletRead | None, export: Export | None) -> None:
    if export is not None:
        sums.take_singly(chain(_until(sums, pairing, closing), pairing.run()), export)
        return
    if closing is not None:
        sums.take(pairing, closing.from_ms - 1, None, law=True)
        sums.laws.cut(pairing, closing)
    sums.take(pairing, NEVER_MS, None, law=False)


def _until(sums: Sums, pairing: Pairing, closing: WalletRead | None) -> Iterator[Trip]:
    """Trips up to the moment the wallet was compared; there the law's sums are taken."""
    if closing is None:
        return
    for trip in pairing.run(closing.from_ms - 1):
        sums.laws.closed(trip)
        yield trip
    sums.laws.cut(pairing, closing)


def _flat_row(fills: Fills, until_ms: int) -> int:
    """The row nearest to the middle before which nothing was open, all earlier ones being older than that moment."""
    count = bisect_left(fills.at_ms, until_ms)
    if len(fills) < WORTH_IT or not hasattr(os, "fork"):
        return 0
    moved = accumulate(map(int.__mul__, fills.sign, fills.lots), initial=fills.opening_lots)
    flat = [number for number, lots in enumerate(moved) if not lots and 0 < number < count]
    return min(flat, key=lambda number: abs(2 * number - len(fills)), default=0)


def _from_flat(fills: Fills, pairing: Pairing, flat: int) -> Pairing:
    """A pairing of what comes after."""
    later = Pairing(fills, pairing.outs.marks)
    later.books, later.next_row = Books(), flat
    later.funded = bisect_left(fills.funding, fills.at_ms[flat - 1], key=lambda paid: paid[0])
    return later


def _first(sums: Sums, pairing: Pairing, flat: int, closing: WalletRead | None) -> None:
    """Count the trips of the rows before."""
    sums.take(pairing, NEVER_MS, flat, law=closing is not None)
    sums.laws.add_up(pairing.fills.instrument.unit)


def _elsewhere(
    sums: Sums, pairing: Pairing, flat: int, closing: WalletRead | None
) -> Callable[[], tuple[dict[str, Tally], "deque[TripRow]", roundtrip_law.Books] | None]:
    """Begin to count the first rows in a process of their own; what is returned waits for its answer, None if none."""
    reading, writing = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        return lambda: None
    if child == 0:
        _child(writing, sums, pairing, flat, closing)
    os.close(writing)

    def answer() -> Any:
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        return pickle.loads(told) if status == 0 else None  # noqa: S301 - our own child wrote it

    return answer


def _child(writing: int, sums: Sums, pairing: Pairing, flat: int, closing: WalletRead | None) -> None:
    """Never returns: nothing of the process that was copied may be finished twice."""
    status = 1
    try:
        _first(sums, pairing, flat, closing)
        for tally in sums.tallies.values():
            tally.detach()
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump((sums.tallies, sums.filed, sums.laws), pipe, pickle.HIGHEST_PROTOCOL)
        status = 0
    finally:
        os._exit(status)
