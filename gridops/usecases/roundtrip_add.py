"""Adds an account's trips up for the report; a long history in two processes, cut where the account was flat.

Between the pairing and the report. What comes after a flat moment owns no lot from before it, so both parts are folded
at once and their sums put together; sums are whole numbers and the order of trips is kept, so nothing else changes. The
other process begins while the journal is still being read. If it cannot be started or fails, or what was read later
belongs among its rows, its part is folded here.
"""

import os
import pickle
import signal
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, chain
from operator import mul

from gridops.decide import roundtrip_law
from gridops.decide.roundtrip_columns import columns
from gridops.decide.roundtrip_fills import Fills
from gridops.decide.roundtrip_marks import Marks
from gridops.decide.roundtrip_pairing import NEVER_MS, Books, Pairing
from gridops.decide.roundtrip_totals import Tally
from gridops.decide.roundtrip_trip import HORIZONS_MS, Rates, Trip, build
from gridops.decide.roundtrip_walk import Stretch, stretches
from gridops.decide.tieout import WalletRead
from gridops.usecases.roundtrip_rows import TripRow, row

FILED_TRIPS = 500
LEVELS = ("rung", "episode")
LOOKS_MS = max(HORIZONS_MS)
"""So long after its rows a trip looks at the mid."""
WORTH_IT = 50_000
"""Fills of one symbol from which on a second process pays."""
Export = Callable[[TripRow], None]
Owned = tuple[int, int]
"""The first and the last row of a plain trip."""
_AHEAD = 0.53
"""Share of the rows that the other process counts: it begins while this one still ties the ledgers out."""
_Told = tuple[dict[str, Tally], "deque[TripRow]", roundtrip_law.Books]


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


class Ahead:
    """The first rows of a symbol, up to a flat moment, being counted by a process of their own.

    A context manager: nobody need wait for the answer. It works only where it pays; else the answer is None.
    """

    def __init__(
        self,
        sums: Sums,
        pairing: Pairing,
        until_ms: int = NEVER_MS,
        *,
        share: float = _AHEAD,
        unfinished: bool = False,
    ) -> None:
        """Begin, with rows older than that moment. What is counted is of the kind of `sums`, which stay as they are.

        An `unfinished` history is put in order by the other process for itself.
        """
        self.pairing = pairing
        self.flat = _flat_row(pairing.fills, until_ms, share)
        """The row before which nothing was open; 0 = nothing is counted ahead."""
        self._before = _before(pairing, self.flat) if self.flat else ()
        self._child, self._reading = 0, -1
        if self.flat:
            self._begin(sums.fresh(), unfinished=unfinished)

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        child, self._child = self._child, 0
        if child:
            os.close(self._reading)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    @classmethod
    def midway(cls, sums: Sums, fills: Fills, marks: Marks | None) -> "Ahead | None":
        """Begin with a history that is still being read; None unless all there is of the symbol is in order.

        The mid must be known for as long after the rows as any of their trips looks.
        """
        if not marks or not marks.in_order() or fills.risen < len(fills):
            return None
        return cls(sums, Pairing(fills, marks), marks.times[-1] - LOOKS_MS, share=1.0, unfinished=True)

    def holds(self, pairing: Pairing) -> bool:
        """Was nothing put among the rows of that symbol since it began? Else it is given up."""
        same = bool(self.flat) and self.pairing.fills is pairing.fills
        if not same or self._before != _before(pairing, self.flat):
            self._end()
            return False
        self.pairing = pairing
        return True

    def serves(self, pairing: Pairing, closing: WalletRead | None) -> bool:
        """Are rows of that symbol being counted, and no row that the law counts apart?"""
        if not self.flat or self.pairing is not pairing:
            return False
        return closing is None or pairing.fills.at_ms[self.flat] < closing.from_ms

    def answer(self) -> _Told | None:
        """Wait for it, once. None when there is none."""
        child, self._child = self._child, 0
        if not child:
            return None
        with os.fdopen(self._reading, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        return pickle.loads(told) if status == 0 else None  # noqa: S301 - our own child wrote it

    def _begin(self, sums: Sums, *, unfinished: bool) -> None:
        self._reading, writing = os.pipe()
        try:
            self._child = os.fork()
        except OSError:
            os.close(self._reading)
            os.close(writing)
            return
        if self._child == 0:
            _child(writing, sums, self.pairing, self.flat, unfinished=unfinished)
        os.close(writing)


def add(
    sums: Sums, pairing: Pairing, closing: WalletRead | None, export: Export | None, ahead: Ahead | None = None
) -> None:
    """Count one symbol; `closing` is the moment at which the law's sums are taken, `ahead` what was begun before."""
    if export is not None:
        _all(sums, pairing, closing, export)
    elif ahead is not None and ahead.serves(pairing, closing):
        pairing = _both(sums, ahead, closing)
    else:
        with Ahead(sums, pairing, NEVER_MS if closing is None else closing.from_ms) as begun:
            if begun.serves(pairing, closing):
                pairing = _both(sums, begun, closing)
            else:
                _all(sums, pairing, closing, None)
    for of in LEVELS:
        sums.open[of] += len(pairing.open_trips(episode=of == "episode"))


def _both(sums: Sums, ahead: Ahead, closing: WalletRead | None) -> Pairing:
    """Count the later rows here; the pairing of them, run to its end."""
    before, rest = sums.fresh(), sums.fresh()
    later = _from_flat(ahead.pairing, ahead.flat)
    _all(rest, later, closing, None)
    said = ahead.answer()
    if said is None:
        _first(before, ahead.pairing, ahead.flat)
    else:
        before.tallies, before.filed = said[0], said[1]
        before.laws.merge(said[2])
    sums.merge(before)
    sums.merge(rest)
    return later


def _newest(found: Stretch, of: str) -> "list[Owned | Trip]":
    """The newest trips of a level that the stretch closed, in order."""
    start = found.start
    begun, ended, others = found.firsts, found.lasts, found.episodes
    if of != "episode":
        begun, ended, others = found.entries, found.exits, found.rungs
    older = max(0, len(ended) - FILED_TRIPS)
    first = begun[older:] if of == "episode" else [found.opens[at] for at in begun[older:]]
    every: list[Owned | Trip] = [(start + one, start + other) for one, other in zip(first, ended[older:], strict=True)]
    for at, trip in reversed([each for each in others if each[0] >= older]):
        every.insert(at - older, trip)
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


def _flat_row(fills: Fills, until_ms: int, share: float) -> int:
    """A row before which nothing was open, with as near as any to that share of the rows before it."""
    if len(fills) < WORTH_IT or not hasattr(os, "fork"):
        return 0
    moved = accumulate(map(mul, fills.sign, fills.lots), initial=fills.opening_lots)
    flat = [number for number, lots in enumerate(moved) if not lots]
    count = bisect_left(fills.at_ms, until_ms)
    wanted = min(int(len(fills) * share), count - 1)
    at = bisect_left(flat, wanted)
    near = [number for number in flat[max(0, at - 1) : at + 1] if 0 < number < count]
    return min(near, key=lambda number: abs(number - wanted), default=0)


def _before(pairing: Pairing, flat: int) -> tuple[object, ...]:
    """What tells of everything that trips of the rows before depend on: it is only added to, and put in order."""
    fills, marks = pairing.fills, pairing.outs.marks
    newest = fills.at_ms[flat - 1]
    return (
        (fills.opening_lots, fills.opening_price, fills.opening_ms),
        (newest, fills.trade_id[flat - 1]),
        sum(at_ms <= newest for at_ms, _ in fills.funding),
        sum(at_ms <= newest for at_ms, _ in fills.regimes),
        bisect_right(marks.times, newest + LOOKS_MS) if marks else 0,
    )


def _from_flat(pairing: Pairing, flat: int) -> Pairing:
    """A pairing of what comes after."""
    fills = pairing.fills
    later = Pairing(fills, pairing.outs.marks)
    later.books, later.next_row = Books(), flat
    later.funded = bisect_left(fills.funding, fills.at_ms[flat - 1], key=lambda paid: paid[0])
    return later


def _first(sums: Sums, pairing: Pairing, flat: int) -> None:
    """Count the trips of the rows before."""
    sums.take(pairing, NEVER_MS, flat, law=True)
    sums.laws.add_up(pairing.fills.instrument.unit)


def _child(writing: int, sums: Sums, pairing: Pairing, flat: int, *, unfinished: bool) -> None:
    """Never returns: nothing of the process that was copied may be finished twice."""
    status = 1
    try:
        if unfinished:
            pairing.fills.sort()
            if pairing.outs.marks is not None:
                pairing.outs.marks.close()
        _first(sums, pairing, flat)
        for tally in sums.tallies.values():
            tally.detach()
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump((sums.tallies, sums.filed, sums.laws), pipe, pickle.HIGHEST_PROTOCOL)
        status = 0
    finally:
        os._exit(status)
