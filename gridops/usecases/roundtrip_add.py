"""Adds an account's trips up for the report; a long history in several processes, cut where the account was flat.

Between the pairing and the report. What comes after a flat moment owns no lot from before it, so the parts are folded
at once and their sums put together; sums are whole numbers and the order of trips is kept, so nothing else changes.
Other processes begin while the journal is still being read, one after the other. If one cannot be started or fails, or
what was read later belongs among its rows, its part is folded here.
"""

import os
import pickle
import select
import signal
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from operator import mul

from gridops.decide import roundtrip_law
from gridops.decide.roundtrip_columns import columns
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
WORTH_IT = 25_000
"""Fills of one symbol from which on another process pays."""
Export = Callable[[TripRow], None]
Owned = tuple[int, int]
"""The first and the last row of a plain trip."""
SHARE = 0.53
"""Share that another process counts of what is left once all is read: this one still ties the ledgers out."""
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


@dataclass(slots=True)
class _Piece:
    """Rows from one flat moment to before another, being counted by a process of their own."""

    start: int
    stop: int
    before: tuple[object, ...]
    child: int = 0
    reading: int = -1
    told: bytes = b""
    """The answer, once it was read; it stays empty when the process failed or was never started."""

    def ready(self) -> bool:
        """Is there nothing to wait for?"""
        return not self.child or bool(select.select([self.reading], [], [], 0)[0])

    def read(self) -> None:
        """Wait for the answer."""
        if not self.child:
            return
        child, self.child = self.child, 0
        with os.fdopen(self.reading, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        self.told = told if status == 0 else b""

    def end(self) -> None:
        """Do without it."""
        child, self.child = self.child, 0
        if child:
            os.close(self.reading)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


class Ahead:
    """The first rows of a symbol, up to a flat moment, being counted piece by piece by processes of their own.

    A context manager: nobody need wait for the answers. It works only where it pays. What is counted is of the kind of
    the sums it is given, which stay as they are.
    """

    def __init__(self, sums: Sums, pairing: Pairing) -> None:
        self.pairing = pairing
        self.flat = 0
        """The row before which nothing was open and all is being counted; 0 = nothing is counted ahead."""
        self._sums = sums
        self._pieces: list[_Piece] = []
        self._looked, self._position = 0, 0
        """How many rows were looked at for a flat moment, and what was open after them."""

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(self, *_: object) -> None:
        self._keep(0)

    def meanwhile(self, paths: Mapping[str, Marks]) -> None:
        """Go on with a history that is still being read, unless a process is busy or what there is is out of order.

        The mid must be known for as long after the rows as any of their trips looks.
        """
        fills = self.pairing.fills
        marks = paths.get(fills.instrument.symbol)
        if not marks or not marks.in_order() or fills.risen < len(fills):
            return
        if self._pieces and not self._pieces[-1].ready():
            return
        if self._pieces:
            self._pieces[-1].read()
        self.pairing = Pairing(fills, marks)
        self.go_on(marks.times[-1] - LOOKS_MS, unfinished=True)

    def go_on(self, until_ms: int = NEVER_MS, share: float = 1.0, *, unfinished: bool = False) -> None:
        """Have a share of the rows that are left counted, if older than that moment, where so many are left.

        An `unfinished` history is put in order by the other process for itself.
        """
        fills = self.pairing.fills
        if len(fills) - self.flat < WORTH_IT or not hasattr(os, "fork"):
            return
        stop = self._flat_row(bisect_left(fills.at_ms, until_ms), share)
        if stop:
            piece = _Piece(self.flat, stop, _before(self.pairing, stop))
            self.flat = stop
            self._pieces.append(piece)
            self._begin(piece, unfinished=unfinished)

    def _flat_row(self, count: int, share: float) -> int:
        """The last row before which nothing was open, before that share of the rows left and before so many rows.

        What was looked at before and was not flat is not looked at again.
        """
        fills, first = self.pairing.fills, self._looked
        stop = max(first, min(self.flat + int((len(fills) - self.flat) * share), count - 1))
        moves = list(map(mul, fills.sign[first:stop], fills.lots[first:stop]))
        position = self._position = sum(moves, self._position if first else fills.opening_lots)
        self._looked = stop
        for number in range(stop, first, -1):
            if not position:
                self._looked, self._position = number, 0
                return number
            position -= moves[number - 1 - first]
        return 0

    def holds(self, pairing: Pairing) -> bool:
        """Are rows of that symbol being counted? All is given up when something was put among them since."""
        if not self.flat or self.pairing.fills is not pairing.fills:
            return False
        if any(piece.before != _before(pairing, piece.stop) for piece in self._pieces):
            self._keep(0)
            return False
        self.pairing = pairing
        if pairing.fills.risen < len(pairing.fills):
            # What came later may stand among the rows that were looked at since.
            self._looked, self._position = self.flat, 0
        return True

    def serves(self, pairing: Pairing, closing: WalletRead | None) -> bool:
        """Are rows of that symbol being counted? Pieces with rows that the law counts apart are given up."""
        if self.pairing is not pairing:
            return False
        at_ms, until_ms = pairing.fills.at_ms, NEVER_MS if closing is None else closing.from_ms
        self._keep(sum(at_ms[piece.stop] < until_ms for piece in self._pieces))
        return bool(self.flat)

    def answers(self) -> Iterator[Sums]:
        """The sums of each piece in order. Those of a process that failed are counted here."""
        for piece in self._pieces:
            piece.read()
            sums = self._sums.fresh()
            if piece.told:
                told: _Told = pickle.loads(piece.told)  # noqa: S301 - our own child wrote it
                sums.tallies, sums.filed = told[0], told[1]
                sums.laws.merge(told[2])
            else:
                _count(sums, self.pairing, piece)
            yield sums

    def _keep(self, pieces: int) -> None:
        """Give up all but the first ones."""
        for piece in self._pieces[pieces:]:
            piece.end()
            self.flat = min(self.flat, piece.start)
        del self._pieces[pieces:]

    def _begin(self, piece: _Piece, *, unfinished: bool) -> None:
        piece.reading, writing = os.pipe()
        try:
            piece.child = os.fork()
        except OSError:
            os.close(piece.reading)
            os.close(writing)
            return
        if piece.child == 0:
            _child(writing, self._sums.fresh(), self.pairing, piece, unfinished=unfinished)
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
        with Ahead(sums, pairing) as begun:
            begun.go_on(NEVER_MS if closing is None else closing.from_ms, SHARE)
            if begun.serves(pairing, closing):
                pairing = _both(sums, begun, closing)
            else:
                _all(sums, pairing, closing, None)
    for of in LEVELS:
        sums.open[of] += len(pairing.open_trips(episode=of == "episode"))


def _both(sums: Sums, ahead: Ahead, closing: WalletRead | None) -> Pairing:
    """Count the later rows here; the pairing of them, run to its end."""
    rest = sums.fresh()
    later = _from_flat(ahead.pairing, ahead.flat)
    _all(rest, later, closing, None)
    for told in ahead.answers():
        sums.merge(told)
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
    if flat:
        later.books, later.next_row = Books(), flat
        later.funded = bisect_left(fills.funding, fills.at_ms[flat - 1], key=lambda paid: paid[0])
    return later


def _count(sums: Sums, pairing: Pairing, piece: _Piece) -> None:
    """Count the trips of the rows of a piece."""
    sums.take(_from_flat(pairing, piece.start), NEVER_MS, piece.stop, law=True)
    sums.laws.add_up(pairing.fills.instrument.unit)


def _child(writing: int, sums: Sums, pairing: Pairing, piece: _Piece, *, unfinished: bool) -> None:
    """Never returns: nothing of the process that was copied may be finished twice."""
    status = 1
    try:
        if unfinished:
            pairing.fills.sort()
            if pairing.outs.marks is not None:
                pairing.outs.marks.close()
        _count(sums, pairing, piece)
        for tally in sums.tallies.values():
            tally.detach()
        told = pickle.dumps((sums.tallies, sums.filed, sums.laws), pickle.HIGHEST_PROTOCOL)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(told)
        status = 0
    finally:
        os._exit(status)
