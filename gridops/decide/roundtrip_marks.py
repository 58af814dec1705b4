"""The mid of one symbol over time: where it stood at a moment, and its extremes between two.

Below the round trips, which take mark-outs and excursions from it. It knows only mids that were seen: a moment after
the last one, or inside a gap of the feed, has no mid.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import islice
from operator import le

GAP_MS = 5_000
"""A mid older than this says nothing about the moment asked for."""
_WIDTH = 32
_NEAR = 128
"""So many mids further on the next moment asked for is looked for first."""


class Marks:
    """Mids (doubled, so that they stay integers) by venue time. Append in any order, `close` before asking."""

    __slots__ = ("_blocks", "_risen", "mid2", "times")

    def __init__(self) -> None:
        self.times: array[int] = array("q")
        self.mid2: array[int] = array("q")
        self._risen = 0
        """So many of the first ones are known to be in the order of time."""
        self._blocks: dict[tuple[int, int], tuple[int, int]] = {}
        """Lowest and highest of the blocks that were asked for, by level and number: 32 mids, 32 such blocks, ..."""

    def __len__(self) -> int:
        return len(self.times)

    def add(self, at_ms: int, mid2: int) -> None:
        self.times.append(at_ms)
        self.mid2.append(mid2)

    def extend(self, times: "array[int]", mid2: "array[int]", *, rising: bool) -> None:
        """Append many; with `rising` they are known to be in the order of time."""
        first = len(self.times)
        if rising and self._risen == first and times and (not first or self.times[-1] <= times[0]):
            self._risen += len(times)
        self.times.extend(times)
        self.mid2.extend(mid2)

    def in_order(self) -> bool:
        """Are they in the order of time as they came? Those that are known to be are not looked at again."""
        since = self.times[max(0, self._risen - 1) :]
        rising = all(map(le, since, islice(since, 1, None)))
        if rising:
            self._risen = len(self.times)
        return rising

    def close(self) -> None:
        """Sort by time, keeping the order of arrival within one."""
        times = self.times
        if not self.in_order():
            order = sorted(range(len(times)), key=times.__getitem__)
            self.times = array("q", [times[i] for i in order])
            self.mid2 = array("q", [self.mid2[i] for i in order])
        self._blocks.clear()

    def at(self, at_ms: int) -> int | None:
        """Twice the mid in force then; None when the path does not reach so far or was silent before."""
        return self.ahead(at_ms, (0,))[0]

    def ahead(self, at_ms: int, horizons_ms: Iterable[int]) -> list[int | None]:
        """The same at several moments after one, the nearest first."""
        times, mid2, count, at = self.times, self.mid2, len(self.times), 0
        found: list[int | None] = []
        for horizon_ms in horizons_ms:
            due_ms = at_ms + horizon_ms
            near = at + _NEAR if at else count
            at = bisect_right(times, due_ms, at, near if near < count and times[near] > due_ms else count)
            if at == 0 or due_ms - times[at - 1] > GAP_MS or (at == count and times[-1] != due_ms):
                found.append(None)
            else:
                found.append(mid2[at - 1])
        return found

    def extremes(self, from_ms: int, to_ms: int) -> tuple[int, int] | None:
        """Lowest and highest doubled mid seen from one moment to another, both included; None without any."""
        times, count = self.times, len(self.times)
        left = bisect_left(times, from_ms)
        near = left + _NEAR
        right = bisect_right(times, to_ms, left, near if near < count and times[near] > to_ms else count)
        return self.span(left, right) if left < right else None

    def span(self, left: int, right: int) -> tuple[int, int]:
        """The same from one place to before another. There is one between."""
        if right - left <= 2 * _WIDTH:
            seen = self.mid2[left:right]
            return min(seen), max(seen)
        return self._among(0, left, right)

    def _among(self, level: int, left: int, right: int) -> tuple[int, int]:
        """The extremes of some blocks of a level; those of the lowest are the mids."""
        if right - left <= 2 * _WIDTH:
            if not level:
                return self.span(left, right)
            pairs = [self._block(level, at) for at in range(left, right)]
        else:
            up_left, up_right = -(-left // _WIDTH), right // _WIDTH
            pairs = [self._among(level + 1, up_left, up_right)]
            pairs += [
                self._among(level, start, stop)
                for start, stop in ((left, up_left * _WIDTH), (up_right * _WIDTH, right))
                if start < stop
            ]
        return min(low for low, _ in pairs), max(high for _, high in pairs)

    def _block(self, level: int, at: int) -> tuple[int, int]:
        found = self._blocks.get((level, at))
        if found is None:
            found = self._blocks[level, at] = self._among(level - 1, at * _WIDTH, (at + 1) * _WIDTH)
        return found
