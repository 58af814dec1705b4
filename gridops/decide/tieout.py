"""The tie-out: per asset and UTC day, the wallet's change, the venue's income rows and our ledger must be one figure.

Above the two ledgers. A day ends at its last read of the wallet that nothing moved around, so that read and rows are of
one moment; the days of one account follow each other without a gap. A residual names the rows that cause it. Rows so
new that the venue may not list them yet wait for the next tie-out; it never calls what it cannot see a match.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from gridops.decide.ledger import Key, Rows, Stream
from gridops.decide.roundtrip_fills import money
from gridops.domain.values import record

DAY_MS = 86_400_000
QUIET_MS = 500
"""No row may be this close to a read of the wallet: its time and our estimate of the venue's clock may differ."""
LATE_MS = 60_000
"""An income row may be listed this long after its time."""
DUST_E8 = 1


@record
class WalletRead:
    """One answer about balances: wallets per asset in 1e-8, and when it was asked and answered on the venue's clock."""

    from_ms: int
    to_ms: int
    wallets: dict[str, int]
    unrealised: dict[str, Decimal]
    """Per symbol, as the venue states it at its mark."""
    marks: dict[str, Decimal]
    lots: dict[str, int]


@record
class Cause:
    """One row on which the ledgers disagree, or a wallet that moved without a row."""

    what: str
    """`missing_here`, `missing_at_venue`, `amount_differs`, `doubled_here`, `wallet_unexplained`."""
    kind: str
    symbol: str
    asset: str
    ref: str
    at_ms: int
    ours: Decimal
    venue: Decimal


@record
class DayTie:
    """One asset on one UTC day, from the last compared moment to this one, both on the venue's clock."""

    day: int
    """Days since 1970."""
    asset: str
    from_ms: int
    to_ms: int
    wallet: Decimal
    income: Decimal
    ledger: Decimal
    causes: tuple[Cause, ...]

    residual: Decimal
    """The larger of the two differences, signed: wallet less rows, rows less our ledger."""
    ok: bool
    """Both differences within 1e-8, and no two wrong rows that cancel out."""


@record
class TieOut:
    """`status` is `ok`, `residual`, or `unknown` when nothing could be compared; `reason` says why."""

    status: str
    reason: str
    days: tuple[DayTie, ...]
    from_ms: int
    to_ms: int
    waiting: int
    """Rows of ours newer than what was compared."""
    opening: WalletRead | None
    closing: WalletRead | None


def tie_out(ours: Rows, venue: Rows, reads: Sequence[WalletRead], *, covered_ms: int) -> TieOut:
    """Compare. `reads` in order, the opening entry first; `covered_ms`: when complete income was asked last."""
    venue = _once(venue)
    if not reads:
        return _unknown("no_wallet_read", ours)
    if not covered_ms:
        return _unknown("no_income_read", ours)
    opening = reads[0]
    disagreements = list(_disagreements(ours, venue, opening.from_ms))
    covered_ms = _settled(disagreements, covered_ms)
    cuts = _cuts(reads, _times(ours, venue), covered_ms)
    if not cuts:
        return _unknown("no_quiet_read", ours)
    days: list[DayTie] = []
    before = opening
    for read in cuts:
        days += _day(before, read, ours, venue, disagreements)
        before = read
    good = all(day.ok for day in days)
    return TieOut(
        status="ok" if good else "residual",
        reason="ties_out" if good else "residual",
        days=tuple(days),
        from_ms=opening.from_ms,
        to_ms=before.from_ms,
        waiting=sum(at > before.from_ms for stream in ours.streams.values() for at in stream.at_ms),
        opening=opening,
        closing=before,
    )


def _unknown(reason: str, ours: Rows) -> TieOut:
    waiting = sum(len(stream.ref) for stream in ours.streams.values())
    return TieOut(
        status="unknown", reason=reason, days=(), from_ms=0, to_ms=0, waiting=waiting, opening=None, closing=None
    )


def _once(rows: Rows) -> Rows:
    for stream in rows.streams.values():
        stream.once()
    return rows


def _times(*sides: Rows) -> list[int]:
    """Every moment at which a row moved a wallet, by either ledger."""
    found: set[int] = set()
    for rows in sides:
        for stream in rows.streams.values():
            found.update(stream.at_ms)
    return sorted(found)


def _cuts(reads: Sequence[WalletRead], times: list[int], covered_ms: int) -> list[WalletRead]:
    """Per UTC day the last read that was quiet and is covered by income rows; without the opening itself."""
    found: dict[int, WalletRead] = {}
    for read in reads[1:]:
        at = bisect_left(times, read.from_ms - QUIET_MS)
        quiet = at == len(times) or times[at] > read.to_ms + QUIET_MS
        if quiet and read.from_ms <= covered_ms:
            found[read.from_ms // DAY_MS] = read
    return [found[day] for day in sorted(found)]


def _settled(disagreements: list[Cause], covered_ms: int) -> int:
    """A row the venue does not list yet is no disagreement while it is young: compare up to just before it."""
    young = [c.at_ms for c in disagreements if c.what == "missing_at_venue" and c.at_ms > covered_ms - LATE_MS]
    return min([covered_ms, *(at - QUIET_MS - 1 for at in young)])


def _day(before: WalletRead, read: WalletRead, ours: Rows, venue: Rows, wrong: list[Cause]) -> Iterator[DayTie]:
    low, high = before.from_ms, read.from_ms

    def inside(at_ms: int) -> bool:
        return low <= at_ms < high

    booked, listed = ours.sums(inside), venue.sums(inside)
    for asset in sorted({*booked, *listed, *read.wallets, *before.wallets}):
        change = read.wallets.get(asset, 0) - before.wallets.get(asset, 0)
        income, ledger = listed.get(asset, 0), booked.get(asset, 0)
        if not (change or income or ledger or read.wallets.get(asset, 0)):
            continue
        causes = [each for each in wrong if each.asset == asset and inside(each.at_ms)]
        if abs(change - income) > DUST_E8:
            causes.append(
                Cause(
                    what="wallet_unexplained", kind="WALLET", symbol="", asset=asset, ref="", at_ms=high,
                    ours=money(income), venue=money(change),
                )
            )  # fmt: skip
        residual = max(change - income, income - ledger, key=abs)
        yield DayTie(
            day=high // DAY_MS,
            asset=asset,
            from_ms=low,
            to_ms=high,
            wallet=money(change),
            income=money(income),
            ledger=money(ledger),
            causes=tuple(causes),
            residual=money(residual),
            ok=abs(residual) <= DUST_E8 and not causes,
        )


def _disagreements(ours: Rows, venue: Rows, since_ms: int) -> Iterator[Cause]:
    """Rows that differ, by stream and id."""
    for key in sorted({*ours.streams, *venue.streams}, key=lambda k: (k.kind, k.symbol, k.asset)):
        here, there = ours.streams.get(key, Stream()), venue.streams.get(key, Stream())
        here.sort()
        yield from _walk(key, here, there, since_ms)


def _walk(key: Key, here: Stream, there: Stream, since_ms: int) -> Iterator[Cause]:
    """Both streams are sorted by id; ids are unique at the venue."""
    at, other, ours, theirs = 0, 0, here.ref, there.ref
    while at < len(ours) or other < len(theirs):
        if other == len(theirs) or (at < len(ours) and ours[at] < theirs[other]):
            yield _cause("missing_at_venue", key, ours[at], here.at_ms[at], here.amount_e8[at], 0)
            at += 1
            continue
        if at == len(ours) or theirs[other] < ours[at]:
            if there.at_ms[other] >= since_ms:
                yield _cause("missing_here", key, theirs[other], there.at_ms[other], 0, there.amount_e8[other])
            other += 1
            continue
        stop = at + 1
        while stop < len(ours) and ours[stop] == ours[at]:
            stop += 1
        booked, listed = here.amount_e8[at] if stop == at + 1 else sum(here.amount_e8[at:stop]), there.amount_e8[other]
        if booked != listed or stop > at + 1:
            what = "amount_differs" if stop == at + 1 else "doubled_here"
            yield _cause(what, key, ours[at], here.at_ms[at], booked, listed)
        at, other = stop, other + 1


def _cause(what: str, key: Key, ref: int, at_ms: int, ours_e8: int, venue_e8: int) -> Cause:
    return Cause(
        what=what, kind=key.kind, symbol=key.symbol, asset=key.asset, ref=str(ref), at_ms=at_ms,
        ours=money(ours_e8), venue=money(venue_e8),
    )  # fmt: skip


def causes(days: Iterable[DayTie]) -> list[Cause]:
    """All causes of all days, in the order of time."""
    return sorted((each for day in days for each in day.causes), key=lambda c: (c.at_ms, c.kind, c.ref))
