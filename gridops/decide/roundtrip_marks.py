"""The mid of one symbol over time: where it stood at a moment, and its extremes between two.

Below the round trips, which take mark-outs and excursions from it. It knows only mids that were seen: a moment after
the last one, or inside a gap of the feed, has no mid.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, repeat
from operator import add, le, sub

GAP_MS = 5_000
"""A mid older than this says nothing about the moment asked for."""
_WIDTH = 32
_DENSE = 4
"""Up to so many mids per moment asked for, those around are unpacked to be searched."""
_TOGETHER = 32
"""So many moments are looked for among the mids between the first and the last of them."""
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

    def places(self, at_ms: Sequence[int], *, after: bool) -> Sequence[int]:
        """For many moments in order: how many mids were seen before each, or up to and at it."""
        if not at_ms:
            return []
        times, find = self.times, bisect_right if after else bisect_left
        low, high = bisect_left(times, at_ms[0]), bisect_right(times, at_ms[-1])
        seen: Sequence[int] = times
        base = 0
        if high - low <= _DENSE * len(at_ms):
            seen, base = times[low:high].tolist(), low
            low, high = 0, len(seen)
        found: list[int] = []
        for start in range(0, len(at_ms), _TOGETHER):
            # Between the places of the first and the last of some there are few to be searched.
            some = at_ms[start : start + _TOGETHER]
            low = find(seen, some[0], low, high)
            end = find(seen, some[-1], low, high)
            found += map(find, repeat(seen), some, repeat(low), repeat(end))
        return list(map(add, found, repeat(base))) if base else found

    def mids(self, due_ms: Sequence[int]) -> list[int | None]:
        """What `at` says of many moments, given in order."""
        times, mid2 = self.times, self.mid2
        places = self.places(due_ms, after=True)
        if not places:
            return []
        if not places[0]:
            return [self.at(due) for due in due_ms]
        before = list(map(sub, places, repeat(1)))
        mids: list[int | None] = list(map(mid2.__getitem__, before))
        since = list(map(times.__getitem__, before))
        if max(map(sub, due_ms, since)) > GAP_MS:
            mids = [mid if due - at <= GAP_MS else None for due, at, mid in zip(due_ms, since, mids, strict=True)]
        newest, number = times[-1], len(due_ms) - 1
        while number >= 0 and due_ms[number] > newest:
            mids[number] = None
            number -= 1
        return mids

    def spans(self, first: Sequence[int], beyond: Sequence[int]) -> tuple[list[int], list[int]]:
        """Lowest and highest from each place to before another; 0 where there is none between."""
        base, end, most = min(first, default=0), max(beyond, default=0), 2 * _WIDTH
        held: Sequence[int] = self.mid2
        if end - base <= _DENSE * len(first):
            held = self.mid2[base:end].tolist()
        else:
            base = 0
        lengths = list(map(sub, beyond, first))
        if lengths and min(lengths) > 0 and max(lengths) <= most:
            seen = [held[left - base : right - base] for left, right in zip(first, beyond, strict=True)]
            return list(map(min, seen)), list(map(max, seen))
        lows, highs = [0] * len(first), [0] * len(first)
        for number, (left, right) in enumerate(zip(first, beyond, strict=True)):
            if right - left > most:
                lows[number], highs[number] = self.span(left, right)
            elif left < right:
                some = held[left - base : right - base]
                lows[number], highs[number] = min(some), max(some)
        return lows, highs

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
