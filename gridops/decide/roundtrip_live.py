"""Round trips while fills still come in, in whatever order: always what a recomputation from all of them would say.

Beside the batch fold of `roundtrip_pairing`, which does the work. A fill or funding row that belongs before others is
put there, and what came after it is folded again from the newest snapshot before it. A known fill changes nothing.
"""

from bisect import bisect_left
from dataclasses import dataclass

from gridops.decide.roundtrip_fills import COLUMNS, Fills
from gridops.decide.roundtrip_marks import Marks
from gridops.decide.roundtrip_pairing import Books, Pairing
from gridops.decide.roundtrip_trip import Trip

SNAPSHOT_EVERY = 256


@dataclass(slots=True)
class _Snapshot:
    rows: int
    funded: int
    closed: int
    books: Books


class LiveTrips:
    """Trips of one symbol, kept up to date fill by fill."""

    def __init__(self, fills: Fills, marks: Marks | None = None) -> None:
        """Start from fills that are sorted, usually none."""
        self._pairing = Pairing(fills, marks)
        self._ids = set(fills.trade_id)
        self.closed: list[Trip] = []
        self._snapshots = [_Snapshot(0, 0, 0, self._pairing.books.copy())]
        self._forward()

    @property
    def fills(self) -> Fills:
        return self._pairing.fills

    def open_trips(self, *, episode: bool) -> list[Trip]:
        return self._pairing.open_trips(episode=episode)

    def add(self, other: Fills) -> None:
        """Take fills and funding of one more batch; ids that are known are passed over."""
        fills = self.fills
        first = len(fills)
        for row in range(len(other)):
            if other.trade_id[row] not in self._ids:
                self._ids.add(other.trade_id[row])
                first = min(first, self._insert(other, row))
        fills.regimes = sorted({*fills.regimes, *other.regimes})
        if other.funding:
            fills.funding = sorted([*fills.funding, *other.funding])
            earliest = min(at_ms for at_ms, _ in other.funding)
            first = min(first, bisect_left(fills.at_ms, earliest))
        self._back_to(first)
        self._forward()

    def _insert(self, other: Fills, row: int) -> int:
        """Put one fill in its place; the row it got."""
        fills = self.fills
        key = (other.at_ms[row], other.trade_id[row])
        at = len(fills)
        while at and (fills.at_ms[at - 1], fills.trade_id[at - 1]) > key:
            at -= 1
        asset = other.assets[other.fee_asset[row]]
        for name in COLUMNS:
            getattr(fills, name).insert(at, getattr(other, name)[row])
        if asset not in fills.assets:
            fills.assets.append(asset)
        fills.fee_asset[at] = fills.assets.index(asset)
        return at

    def _back_to(self, row: int) -> None:
        """Forget what was folded from this row on. A snapshot of the same ms holds funding that comes after it."""
        times = self.fills.at_ms
        from_ms = times[row] if row < len(times) else times[-1] + 1 if times else 0
        while len(self._snapshots) > 1 and times[self._snapshots[-1].rows - 1] >= from_ms:
            self._snapshots.pop()
        kept = self._snapshots[-1]
        self._pairing.books = kept.books.copy()
        self._pairing.next_row, self._pairing.funded = kept.rows, kept.funded
        self._pairing.outs.forget()
        del self.closed[kept.closed :]

    def _forward(self) -> None:
        """Fold to the end, leaving a snapshot now and then."""
        pairing, fills = self._pairing, self.fills
        while pairing.next_row < len(fills):
            ahead = min(pairing.next_row + SNAPSHOT_EVERY, len(fills)) - 1
            for trip in pairing.run(fills.at_ms[ahead]):
                self.closed.append(trip)
            self._snapshots.append(
                _Snapshot(pairing.next_row, pairing.funded, len(self.closed), pairing.books.copy()),
            )
        self.closed.extend(pairing.run())
