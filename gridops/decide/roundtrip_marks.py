"""The mid of one symbol over time: where it stood at a moment, and its extremes between two.

Below the round trips, which take mark-outs and excursions from it. It knows only mids that were seen: a moment after
the last one, or inside a gap of the feed, has no mid.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from itertools import islice
from operator import le

GAP_MS = 5_000
"""A mid older than this says nothing about the moment asked for."""
_WIDTH = 32
_NEAR = 128
"""So many mids further on the next moment asked for is looked for first."""


class Marks:
    """Mids (doubled, so that they stay integers) by venue time. Append in any order, `close` before asking."""

    __slots__ = ("_highs", "_lows", "_risen", "mid2", "times")

    def __init__(self) -> None:
        self.times: array[int] = array("q")
        self.mid2: array[int] = array("q")
        self._risen = 0
        """So many of the first ones are known to be in the order of time."""
        self._lows: list[array[int]] = []
        self._highs: list[array[int]] = []

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
        """Are they in the order of time as they came?"""
        since = self.times[max(0, self._risen - 1) :]
        return all(map(le, since, islice(since, 1, None)))

    def close(self) -> None:
        """Sort by time, keeping the order of arrival within one, and build the extremes."""
        times = self.times
        if not self.in_order():
            order = sorted(range(len(times)), key=times.__getitem__)
            self.times = array("q", [times[i] for i in order])
            self.mid2 = array("q", [self.mid2[i] for i in order])
        self._lows, self._highs = [self.mid2], [self.mid2]
        while len(self._lows[-1]) > _WIDTH:
            low, high = self._lows[-1], self._highs[-1]
            self._lows.append(array("q", [min(low[i : i + _WIDTH]) for i in range(0, len(low), _WIDTH)]))
            self._highs.append(array("q", [max(high[i : i + _WIDTH]) for i in range(0, len(high), _WIDTH)]))

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
        return self._reduce(self._lows, left, right, min), self._reduce(self._highs, left, right, max)

    @staticmethod
    def _reduce(levels: "list[array[int]]", left: int, right: int, pick: Callable[[list[int]], int]) -> int:
        found: list[int] = []
        for at, values in enumerate(levels):
            if right - left <= 2 * _WIDTH or at == len(levels) - 1:
                found += values[left:right]
                break
            up_left, up_right = -(-left // _WIDTH), right // _WIDTH
            found += values[left : up_left * _WIDTH]
            found += values[up_right * _WIDTH : right]
            left, right = up_left, up_right
        return pick(found)
