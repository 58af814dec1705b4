"""The mids around the moments of a stretch of rows, unpacked once and looked at many times.

Above the path of the mid, below the columns of trips. It says of many moments what the path says of each. Where there
are few mids for the moments both are walked through together; where there are many they are searched for.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice, repeat
from operator import itemgetter, sub
from typing import Any

from gridops.decide.roundtrip_marks import GAP_MS, Marks

Column = Sequence[int]
NOTHING: Column = ()
"""A column of zeros, however long."""
EVERY: Column = (1,)
"""A column of ones, however long."""
Pick = Callable[[Sequence[Any]], Sequence[Any]]
"""Takes some places of whatever column it is given."""
_NEVER_MS = 1 << 62
_DENSE = 4
"""Up to so many mids per moment asked for, both are walked through."""
_TOGETHER = 32
"""So many moments are searched for among the mids between the first and the last of them."""
_FEW = 256
"""The extremes of so many mids are found by looking at each."""


def picked(at: Column) -> Pick:
    """Takes these places."""
    if len(at) > 1:
        return itemgetter(*at)
    return lambda column: [column[each] for each in at]


class Near:
    """The mids from the last one before a moment to another moment. Places count from the first of them.

    Moments are given in ms since `origin`: small numbers are compared in a third of the time.
    """

    def __init__(self, marks: Marks, from_ms: int, to_ms: int, count: int) -> None:
        """For about so many moments."""
        times = marks.times
        low, high = max(0, bisect_left(times, from_ms) - 1), bisect_right(times, to_ms)
        self._marks, self._base, self._newest = marks, 0, high == len(times)
        self._dense = high - low <= _DENSE * count
        self.origin = 0
        self._times: Column = times
        self._mid2: Column = marks.mid2
        if self._dense:
            self._base, self.origin = low, times[low] if low < high else from_ms
            self._times = [*map(sub, times[low:high], repeat(self.origin)), _NEVER_MS]
            self._mid2 = marks.mid2[low:high].tolist()
        self._path: tuple[Column, Column, Column] | None = None

    def places(self, at_ms: Column, *, after: bool) -> Column:
        """For moments in order: how many of the mids were seen before each, or up to and at it."""
        if self._dense and len(self._mid2) <= _DENSE * len(at_ms):
            return _up_to(self._times, at_ms) if after else _before(self._times, at_ms)
        return _searched(self._times, len(self._mid2), at_ms, bisect_right if after else bisect_left)

    def mids(self, due_ms: Iterable[int]) -> tuple[Column, Column]:
        """Twice the mid in force at moments in order, 0 where none is known; and where one is, NOTHING for all."""
        if not self._dense:
            return self._found([*due_ms])
        times, mid2, known = self._path = self._path or self._silences()
        take = picked(_up_to(times, due_ms))
        told = take(known)
        return take(mid2), told if 0 in told else NOTHING

    def _found(self, due_ms: list[int]) -> tuple[Column, Column]:
        places = self.places(due_ms, after=True)
        times, mid2, newest = self._times, self._mid2, self._times[-1]
        known = [
            int(at > 0 and due - times[at - 1] <= GAP_MS and due <= newest)
            for due, at in zip(due_ms, places, strict=True)
        ]
        mids = [mid2[at - 1] if held else 0 for at, held in zip(places, known, strict=True)]
        return mids, known if 0 in known else NOTHING

    def _silences(self) -> tuple[Column, Column, Column]:
        """Times from which on a mid or none is known, and of as many of them as were passed: the mid, and is it."""
        seen, held = self._times, self._mid2
        count, start = len(held), 0
        times, mid2, known = [], [0], [0]
        gaps = [at for at, ms in enumerate(map(sub, islice(seen, 1, count), seen), 1) if ms > GAP_MS]
        for stop in chain(gaps, [count] if count else []):
            last_ms = seen[stop - 1] + (1 if stop == count and self._newest else GAP_MS + 1)
            times += [*seen[start:stop], last_ms]
            mid2 += [*held[start:stop], 0]
            known += [*repeat(1, stop - start), 0]
            start = stop
        return [*times, _NEVER_MS], mid2, known

    def spans(self, first: Column, beyond: Column) -> tuple[list[int], list[int]]:
        """Lowest and highest doubled mid from each place to before another; 0 where there is none between."""
        held, lengths = self._mid2, list(map(sub, beyond, first))
        odd: list[int] = []
        if lengths and not (min(lengths) > 0 and max(lengths) <= _FEW):
            odd = [at for at, length in enumerate(lengths) if not 0 < length <= _FEW]
            beyond = list(beyond)
            for at in odd:
                beyond[at] = first[at]
        seen = [held[left:right] for left, right in zip(first, beyond, strict=True)]
        for at in odd:
            seen[at] = (0,)
        lows, highs = list(map(min, seen)), list(map(max, seen))
        for at in odd:
            if lengths[at] > 0:
                left = self._base + first[at]
                lows[at], highs[at] = self._marks.span(left, left + lengths[at])
        return lows, highs


def _up_to(times: Column, at_ms: Iterable[int]) -> list[int]:
    """Spelt out, as is the next: there may be a million. The last of the times never comes."""
    found: list[int] = []
    keep = found.append
    place, due = 0, times[0]
    for at in at_ms:
        while due <= at:
            place += 1
            due = times[place]
        keep(place)
    return found


def _before(times: Column, at_ms: Iterable[int]) -> list[int]:
    found: list[int] = []
    keep = found.append
    place, due = 0, times[0]
    for at in at_ms:
        while due < at:
            place += 1
            due = times[place]
        keep(place)
    return found


def _searched(times: Column, count: int, at_ms: Column, find: Callable[..., int]) -> list[int]:
    found: list[int] = []
    low = 0
    for start in range(0, len(at_ms), _TOGETHER):
        # Between the places of the first and the last of some there are few to be searched.
        some = at_ms[start : start + _TOGETHER]
        low = find(times, some[0], low, count)
        end = find(times, some[-1], low, count)
        found += map(find, repeat(times), some, repeat(low), repeat(end))
    return found
