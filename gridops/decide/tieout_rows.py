"""The tie-out row by row, as a running engine keeps it: what we booked against what the venue's history lists.

Below the step. Each row has one name on both sides (kind, trade or transaction, asset); a pair of equal amounts is
forgotten at once, so that only rows in doubt are held. A row counts as wrong once the venue had a minute to list it.
It knows no wallet and no clock; the whole comparison, wallet included, is `tieout`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from gridops.decide.tieout import DAY_MS, LATE_MS

MOST = 400
"""Rows in doubt that are held by name; older ones are added up per asset."""
OLDER = "OLDER"


@dataclass(slots=True)
class RowInDoubt:
    """One name. An amount that nobody stated yet is None."""

    kind: str
    symbol: str
    asset: str
    ref: str
    at_ms: int
    ours: Decimal | None = None
    venue: Decimal | None = None
    told: bool = False
    """Somebody was told that it is wrong."""

    @property
    def apart(self) -> Decimal:
        """What the wallet holds beyond our books because of it."""
        return (self.venue or Decimal(0)) - (self.ours or Decimal(0))

    @property
    def what(self) -> str:
        """`missing_here`, `missing_at_venue` or `amount_differs`."""
        if self.ours is None:
            return "missing_here"
        return "missing_at_venue" if self.venue is None else "amount_differs"


@dataclass(slots=True)
class TieRows:
    """Of one account since its opening entry."""

    rows: dict[str, RowInDoubt] = field(default_factory=dict)
    day: int = 0
    """UTC day, since 1970, that was told about last; 0 = none."""
    covered_ms: int = 0
    """When complete income was asked for last, on the venue's clock."""
    matched: int = 0
    """Rows equal on both sides since then."""


def booked(tie: TieRows, kind: str, symbol: str, asset: str, ref: str, at_ms: int, amount: Decimal) -> None:
    """We moved our wallet of that asset by `amount`."""
    if amount:
        _state(tie, kind, symbol, asset, ref, at_ms, ours=amount)


def listed(tie: TieRows, kind: str, symbol: str, asset: str, ref: str, at_ms: int, amount: Decimal) -> None:
    """The venue's history has this row. Say it once per row: a page may repeat what an earlier one held."""
    if amount:
        _state(tie, kind, symbol, asset, ref, at_ms, venue=amount)


def _state(
    tie: TieRows, kind: str, symbol: str, asset: str, ref: str, at_ms: int, ours: Decimal | None = None,
    venue: Decimal | None = None,
) -> None:  # fmt: skip
    name = f"{kind}:{symbol}:{ref}:{asset}"
    row = tie.rows.get(name)
    if row is None:
        row = tie.rows[name] = RowInDoubt(kind, symbol, asset, ref, at_ms)
    if ours is not None:
        row.ours = ours if row.ours is None else row.ours + ours
    if venue is not None:
        row.venue = venue
    if row.ours == row.venue:
        del tie.rows[name]
        tie.matched += 1
    elif len(tie.rows) > MOST:
        _add_up(tie)


def _add_up(tie: TieRows) -> None:
    """Let go of the oldest name that is known to be wrong, keeping what it was worth."""
    name = next((name for name, row in tie.rows.items() if row.told and row.kind != OLDER), "")
    if not name:
        return
    row = tie.rows.pop(name)
    kept = tie.rows.setdefault(
        f"{OLDER}:{row.asset}", RowInDoubt(OLDER, "", row.asset, "", row.at_ms, Decimal(0), Decimal(0), told=True)
    )
    kept.ours = (kept.ours or Decimal(0)) + (row.ours or Decimal(0))
    kept.venue = (kept.venue or Decimal(0)) + (row.venue or Decimal(0))


def wrong(tie: TieRows, covered_ms: int) -> list[RowInDoubt]:
    """Rows on which the ledgers disagree, of those the venue must have listed. `covered_ms`: when it was asked last."""
    return [row for row in tie.rows.values() if row.told or row.at_ms < covered_ms - LATE_MS]


def residuals(tie: TieRows) -> dict[str, Decimal]:
    """Per asset, what rows known to be wrong make the wallet differ from our books by."""
    found: dict[str, Decimal] = {}
    for row in tie.rows.values():
        if row.told:
            found[row.asset] = found.get(row.asset, Decimal(0)) + row.apart
    return found


def accept(tie: TieRows, asset: str) -> None:
    """Somebody booked what nothing explains: rows known to be wrong are settled by that entry."""
    for name in [name for name, row in tie.rows.items() if row.told and row.asset == asset]:
        del tie.rows[name]


def day_over(tie: TieRows, covered_ms: int) -> bool:
    """Is a whole UTC day listed that nobody was told about? The first day begins the count."""
    day = (covered_ms - LATE_MS) // DAY_MS
    if not tie.day:
        tie.day = day
    return day > tie.day


def told(tie: TieRows, rows: list[RowInDoubt], covered_ms: int) -> None:
    """The comparison up to here was told."""
    for row in rows:
        row.told = True
    tie.day, tie.matched = max(tie.day, (covered_ms - LATE_MS) // DAY_MS), 0


def lines(rows: list[RowInDoubt]) -> Iterator[str]:
    """One line a row, the oldest first."""
    for row in sorted(rows, key=lambda row: (row.at_ms, row.kind, row.ref)):
        ours, theirs = ("none" if amount is None else f"{amount:f}" for amount in (row.ours, row.venue))
        yield f"{row.what} {row.kind} {row.symbol} {row.ref} {row.asset} ours {ours} venue {theirs}"
