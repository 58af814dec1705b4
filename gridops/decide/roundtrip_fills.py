"""Fills of one symbol as columns of integers, in the venue's order: what round trips are folded from.

Below the report and above nothing. A million fills must fit and fold in seconds, so a fill is a row of arrays and not
an object. Money is integer 1e-8 of its asset, the venue's own resolution; finer amounts are refused, never rounded.
"""

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from operator import le, lt

from gridops.domain.instrument import Instrument

E8 = 10**8
OUTSIDE = 0
"""Order number of a fill that no order of ours made."""


def e8(amount: Decimal) -> int:
    """Money as whole 1e-8. ValueError when it is finer: rounding here would hide what a tie-out looks for."""
    scaled = amount.scaleb(8)
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{amount} is finer than 1e-8")
    return whole


def money(amount_e8: int) -> Decimal:
    """Whole 1e-8 as money."""
    return Decimal(amount_e8).scaleb(-8)


def _longs() -> "array[int]":
    return array("q")


def _bytes() -> "array[int]":
    return array("b")


@dataclass(slots=True)
class Fills:
    """Columns of one symbol; row i of each is one fill. `sort` brings them into the venue's order."""

    instrument: Instrument
    opening_lots: int = 0
    opening_price: Decimal = Decimal(0)
    """Average entry price of a position that was there before the first fill, as the venue states it."""
    opening_ms: int = 0
    trade_id: "array[int]" = field(default_factory=_longs)
    """Negative: no fill, but a change of position that nothing explains."""
    at_ms: "array[int]" = field(default_factory=_longs)
    sign: "array[int]" = field(default_factory=_bytes)
    price: "array[int]" = field(default_factory=_longs)
    lots: "array[int]" = field(default_factory=_longs)
    level: "array[int]" = field(default_factory=_longs)
    order: "array[int]" = field(default_factory=_longs)
    """A number per own order, OUTSIDE for none."""
    fee_e8: "array[int]" = field(default_factory=_longs)
    fee_asset: "array[int]" = field(default_factory=_bytes)
    """Index into `assets`."""
    realised_e8: "array[int]" = field(default_factory=_longs)
    maker: "array[int]" = field(default_factory=_bytes)
    mid2: "array[int]" = field(default_factory=_longs)
    """Twice the mid when the order was decided; 0 = not known."""
    intended: "array[int]" = field(default_factory=_longs)
    """Price the level asked for; 0 = none."""
    assets: list[str] = field(default_factory=list)
    """Fee assets; the first is the settlement asset."""
    funding: list[tuple[int, int]] = field(default_factory=list)
    """(venue time, signed 1e-8 of the settlement asset), received is positive."""
    regimes: list[tuple[int, str]] = field(default_factory=list)
    """(venue time, regime from then on)."""
    risen: int = 0
    """So many of the first rows are known to be in the venue's order, each id above the one before."""

    def __post_init__(self) -> None:
        if not self.assets:
            self.assets.append(self.instrument.settle_asset)

    def __len__(self) -> int:
        return len(self.trade_id)

    def add(
        self,
        trade_id: int,
        at_ms: int,
        sign: int,
        price: int,
        lots: int,
        *,
        level: int = 0,
        order: int = OUTSIDE,
        fee_e8: int = 0,
        fee_asset: str = "",
        realised_e8: int = 0,
        maker: bool = False,
        mid2: int = 0,
        intended: int = 0,
    ) -> None:
        """Append one fill in any order. `sign` is +1 for a buy; prices in ticks, times in venue ms."""
        self.trade_id.append(trade_id)
        self.at_ms.append(at_ms)
        self.sign.append(sign)
        self.price.append(price)
        self.lots.append(lots)
        self.level.append(level)
        self.order.append(order)
        self.fee_e8.append(fee_e8)
        self.fee_asset.append(self.asset_number(fee_asset))
        self.realised_e8.append(realised_e8)
        self.maker.append(maker)
        self.mid2.append(mid2)
        self.intended.append(intended)

    def rose(self, first: int) -> None:
        """The rows from `first` on are in the venue's order among themselves, and none was added to them since."""
        times, ids = self.at_ms, self.trade_id
        if self.risen == first < len(self) and (
            not first or (times[first - 1] <= times[first] and ids[first - 1] < ids[first])
        ):
            self.risen = len(self)

    def sort(self) -> None:
        """By venue time, then trade id: the order the venue made them in, whatever order they came in."""
        times, ids = self.at_ms, self.trade_id
        self.funding.sort()
        self.regimes.sort(key=lambda change: change[0])
        if self.risen < len(self) and not _rise(times, ids):
            order = sorted(range(len(self)), key=lambda i: (times[i], ids[i]))
            for name in COLUMNS:
                column: array[int] = getattr(self, name)
                setattr(self, name, array(column.typecode, [column[i] for i in order]))

    def opening(self, lots: int) -> tuple[int, Decimal]:
        """Ticks at which that many opening lots are entered, and what the rounding to a tick leaves, as money."""
        ticks = self.instrument.nearest_ticks(self.opening_price)
        way = 1 if self.opening_lots > 0 else -1
        return ticks, (self.instrument.price(ticks) - self.opening_price) * self.instrument.quantity(lots) * way

    def regime(self, at_ms: int) -> str:
        """The regime in force at that venue time; empty before the first."""
        at = bisect_right(self.regimes, at_ms, key=lambda change: change[0])
        return self.regimes[at - 1][1] if at else ""

    def asset_number(self, name: str) -> int:
        """Where a fee asset stands in `assets`; no name is the settlement asset."""
        if not name or name == self.assets[0]:
            return 0
        if name not in self.assets:
            self.assets.append(name)
        return self.assets.index(name)


def _rise(times: "array[int]", ids: "array[int]") -> bool:
    """Are they in order by both, the first before the second?"""
    if all(map(le, times, islice(times, 1, None))) and all(map(lt, ids, islice(ids, 1, None))):
        return True
    names = zip(times, ids, strict=True)
    return all(map(le, names, zip(islice(times, 1, None), islice(ids, 1, None), strict=True)))


COLUMNS = (
    "trade_id",
    "at_ms",
    "sign",
    "price",
    "lots",
    "level",
    "order",
    "fee_e8",
    "fee_asset",
    "realised_e8",
    "maker",
    "mid2",
    "intended",
)
