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
from gridops.decide.roundtrip_fills import Fills
from gridops.decide.roundtrip_pairing import NEVER_MS, Books, Pairing
from gridops.decide.roundtrip_totals import Tally
from gridops.decide.roundtrip_trip import Rates, Trip
from gridops.decide.tieout import WalletRead
from gridops.usecases.roundtrip_rows import TripRow, row

FILED_TRIPS = 500
LEVELS = ("rung", "episode")
WORTH_IT = 50_000
"""Fills of one symbol from which on a second process pays."""
Export = Callable[[TripRow], None]


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

    def take(self, trips: Iterator[Trip], export: Export | None = None) -> None:
        """Count closed trips."""
        rung, episode = (self.tallies[of] for of in LEVELS)
        newest: deque[Trip] = deque(maxlen=FILED_TRIPS)
        wanted = self.of == "episode"
        for trip in trips:
            (episode if trip.episode else rung).add(trip)
            if trip.episode is wanted:
                newest.append(trip)
                if export is not None:
                    export(row(trip, self.rates))
        self.filed.extend(row(trip, self.rates) for trip in newest)

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


def _all(sums: Sums, pairing: Pairing, closing: WalletRead | None, export: Export | None) -> None:
    sums.take(chain(_until(sums, pairing, closing), pairing.run()), export)


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

    def closed() -> Iterator[Trip]:
        for trip in pairing.run(rows=flat):
            if closing is not None:
                sums.laws.closed(trip)
            yield trip

    sums.take(closed())
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
