"""Two ledgers of one account side by side: rows as we booked them, and rows as the venue lists them.

Below the tie-out. Rows of one kind, symbol and asset stand in one stream, named by the venue's trade or transaction id,
amounts in 1e-8 and signed as the wallet moved. It compares nothing and knows no time zone.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress, islice, pairwise
from operator import le, lt, neg

from gridops.decide.roundtrip_fills import Fills
from gridops.domain.values import value

REALISED, COMMISSION = "REALIZED_PNL", "COMMISSION"
FROM_FILLS = frozenset({REALISED, COMMISSION})
"""Kinds whose rows are named by a trade."""


@value
class Key:
    """One stream. `symbol` is empty where the venue gives none."""

    kind: str
    symbol: str
    asset: str


def _longs() -> "array[int]":
    return array("q")


@dataclass(slots=True)
class Stream:
    """Rows in the order they came; `sort` puts them by id."""

    ref: "array[int]" = field(default_factory=_longs)
    at_ms: "array[int]" = field(default_factory=_longs)
    amount_e8: "array[int]" = field(default_factory=_longs)
    risen: int = 0
    """So many of the first rows are known to rise by id, with no time before the one that precedes it."""

    def extend(self, ref: "array[int]", at_ms: "array[int]", amount_e8: "array[int]", *, rising: bool) -> None:
        """Append columns; with `rising` their rows are known to rise among themselves."""
        first = len(self.ref)
        self.ref.extend(ref)
        self.at_ms.extend(at_ms)
        self.amount_e8.extend(amount_e8)
        if rising and self.risen == first and len(self.ref) > first and (not first or self._goes_on(first)):
            self.risen = len(self.ref)

    def _goes_on(self, at: int) -> bool:
        return self.ref[at - 1] < self.ref[at] and self.at_ms[at - 1] <= self.at_ms[at]

    def add(self, ref: int, at_ms: int, amount_e8: int) -> None:
        self.ref.append(ref)
        self.at_ms.append(at_ms)
        self.amount_e8.append(amount_e8)

    def sort(self) -> None:
        """By id; rows of one id keep the order they came in."""
        ref = self.ref
        if self.risen == len(ref) or all(map(le, ref, islice(ref, 1, None))):
            return
        order = sorted(range(len(ref)), key=ref.__getitem__)
        for name in ("ref", "at_ms", "amount_e8"):
            column: array[int] = getattr(self, name)
            setattr(self, name, array("q", [column[i] for i in order]))

    def once(self) -> None:
        """Keep the first row of each id: overlapping reads list a row again. Sorts."""
        self.sort()
        ref = self.ref
        if self.risen == len(ref) or all(map(lt, ref, islice(ref, 1, None))):
            return
        keep = [i for i in range(len(ref)) if i == 0 or ref[i] != ref[i - 1]]
        for name in ("ref", "at_ms", "amount_e8"):
            column: array[int] = getattr(self, name)
            setattr(self, name, array("q", [column[i] for i in keep]))

    def in_time(self) -> bool:
        """Do the rows stand in the order of their times as well?"""
        return self.risen == len(self.ref) or all(map(le, self.at_ms, islice(self.at_ms, 1, None)))

    def after(self, at_ms: int) -> int:
        """Rows later than that."""
        if self.in_time():
            return len(self.at_ms) - bisect_right(self.at_ms, at_ms)
        return sum(map(at_ms.__lt__, self.at_ms))

    def sums(self, bounds: Sequence[int]) -> list[int]:
        """1e-8 of the rows from each bound to before the next."""
        times, amounts = self.at_ms, self.amount_e8
        if self.in_time():
            cuts = [bisect_left(times, bound) for bound in bounds]
            return [sum(amounts[low:high]) for low, high in pairwise(cuts)]
        found = [0] * (len(bounds) + 1)
        for at_ms, amount in zip(times, amounts, strict=True):
            found[bisect_right(bounds, at_ms)] += amount
        return found[1:-1]


@dataclass(slots=True)
class Rows:
    """All streams of one side."""

    streams: dict[Key, Stream] = field(default_factory=dict)

    def add(self, key: Key, ref: int, at_ms: int, amount_e8: int) -> None:
        """Append a row that moved a wallet; an amount of nothing moved none."""
        if amount_e8:
            self.stream(key).add(ref, at_ms, amount_e8)

    def stream(self, key: Key) -> Stream:
        """The stream of that key, opened when it is new."""
        stream = self.streams.get(key)
        if stream is None:
            stream = self.streams[key] = Stream()
        return stream

    def add_fills(self, fills: Fills) -> None:
        """What fills did to the wallets: realised result, and fees in their own asset."""
        symbol, asset = fills.instrument.symbol, fills.instrument.settle_asset
        self._extend(Key(REALISED, symbol, asset), fills, fills.realised_e8)
        if len(fills.assets) == 1:
            self._extend(Key(COMMISSION, symbol, asset), fills, array("q", list(map(neg, fills.fee_e8))))
            return
        for number, name in enumerate(fills.assets):
            paid = array(
                "q", [-fee if of == number else 0 for fee, of in zip(fills.fee_e8, fills.fee_asset, strict=True)]
            )
            self._extend(Key(COMMISSION, symbol, name), fills, paid)

    def _extend(self, key: Key, fills: Fills, amounts: "array[int]") -> None:
        """Append a whole column; amounts of nothing, and changes that are no fill, moved no wallet."""
        stream, rising = self.streams.setdefault(key, Stream()), fills.risen == len(fills)
        moved: Sequence[int] = amounts
        if min(fills.trade_id[:1] if rising else fills.trade_id, default=0) < 0:
            pairs = zip(amounts, fills.trade_id, strict=True)
            moved = [amount != 0 and ref >= 0 for amount, ref in pairs]
        columns = [fills.trade_id, fills.at_ms, amounts]
        if 0 in moved:
            # Lists: what an array holds is made into objects each time it is walked through, and from a list whose
            # length is known an array is filled several times as fast.
            moved = list(moved)
            columns = [array("q", list(compress(column, moved))) for column in columns]
        stream.extend(columns[0], columns[1], columns[2], rising=rising)

    def sums(self, bounds: Sequence[int]) -> list[dict[str, int]]:
        """Per asset, 1e-8 of all rows from each bound to before the next. Bounds do not fall."""
        found: list[dict[str, int]] = [{} for _ in bounds[1:]]
        for key, stream in self.streams.items():
            for held, moved in zip(found, stream.sums(bounds), strict=True):
                held[key.asset] = held.get(key.asset, 0) + moved
        return found
