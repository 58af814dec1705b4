"""The tie-out: per asset and UTC day, the wallet's change, the venue's income rows and our ledger must be one figure.

Above the two ledgers. A day ends at its last usable read of the wallet: one that nothing moved around, or one whose
figure the wallet had at some moment of the read. The days of one account follow each other without a gap. A residual
names the rows that cause it. Rows so new that the venue may not list them yet wait for the next tie-out; it never calls
what it cannot see a match.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import accumulate

from gridops.decide.ledger import Key, Rows, Stream
from gridops.decide.roundtrip_fills import money
from gridops.domain.values import record

DAY_MS = 86_400_000
QUIET_MS = 500
"""No row may be this close to a read of the wallet: its time and our estimate of the venue's clock may differ."""
LATE_MS = 60_000
"""An income row may be listed this long after its time."""
DUST_E8 = 1
_STRIDE = 256
"""Rows that are compared at once."""


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
    """The newest read within what the venue has listed that nothing moved around: all of it of one moment."""


def tie_out(ours: Rows, venue: Rows, reads: Sequence[WalletRead], *, covered_ms: int, opened: bool = True) -> TieOut:
    """Compare. `reads` in order, the opening entry first; `covered_ms`: when complete income was asked last.

    Without `opened` nobody has proven that the first read was of one moment: the first quiet one opens.
    """
    venue = _once(venue)
    if not reads:
        return _unknown("no_wallet_read", ours)
    if not covered_ms:
        return _unknown("no_income_read", ours)
    times = _Times(ours, venue)
    if not opened:
        reads = _from_quiet(reads, times)
        if not reads:
            return _unknown("no_quiet_read", ours)
    opening = reads[0]
    disagreements = list(_disagreements(ours, venue, opening.from_ms))
    covered_ms = _settled(disagreements, covered_ms)
    cuts = _cuts(reads, times, venue, covered_ms)
    if not cuts:
        return _unknown("no_quiet_read", ours)
    days: list[DayTie] = []
    before, bounds = opening, [opening.from_ms, *(read.from_ms for read in cuts)]
    for read, booked, listed in zip(cuts, ours.sums(bounds), venue.sums(bounds), strict=True):
        days += _day(before, read, booked, listed, disagreements)
        before = read
    good = all(day.ok for day in days)
    return TieOut(
        status="ok" if good else "residual",
        reason="ties_out" if good else "residual",
        days=tuple(days),
        from_ms=opening.from_ms,
        to_ms=before.from_ms,
        waiting=sum(stream.after(before.from_ms) for stream in ours.streams.values()),
        opening=opening,
        closing=next(
            (read for read in reversed(reads[1:]) if _covered(read, covered_ms) and _quiet(read, times)), None
        ),
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


class _Times:
    """Every moment at which a row moved a wallet, by either ledger."""

    def __init__(self, *sides: Rows) -> None:
        streams = [stream for rows in sides for stream in rows.streams.values()]
        self._columns = [stream.at_ms if stream.in_time() else sorted(stream.at_ms) for stream in streams]

    def between(self, from_ms: int, to_ms: int) -> list[int]:
        """Those from one moment to another, both included, each once and in order."""
        found: set[int] = set()
        for column in self._columns:
            found.update(column[bisect_left(column, from_ms) : bisect_right(column, to_ms)])
        return sorted(found)


def _quiet(read: WalletRead, times: _Times) -> bool:
    return not times.between(read.from_ms - QUIET_MS, read.to_ms + QUIET_MS)


def _covered(read: WalletRead, covered_ms: int) -> bool:
    """Do the venue's rows reach past it?"""
    return read.to_ms + QUIET_MS <= covered_ms


def _from_quiet(reads: Sequence[WalletRead], times: _Times) -> Sequence[WalletRead]:
    return next((reads[at:] for at, read in enumerate(reads) if _quiet(read, times)), ())


def _cuts(reads: Sequence[WalletRead], times: _Times, venue: Rows, covered_ms: int) -> list[WalletRead]:
    """Per UTC day the last usable read that income rows cover; without the opening itself."""
    found: dict[int, WalletRead] = {}
    wallet: _Wallet | None = None
    for read in reversed(reads[1:]):
        day = read.from_ms // DAY_MS
        if day in found or not _covered(read, covered_ms):
            continue
        if _quiet(read, times):
            found[day] = read
            continue
        wallet = wallet or _Wallet(reads[0], venue)
        moment = wallet.moment(read, times)
        if moment is not None:
            found[day] = replace(read, from_ms=moment)
    return [found[day] for day in sorted(found)]


class _Wallet:
    """Wallets over time, by the opening entry and the venue's rows."""

    def __init__(self, opening: WalletRead, venue: Rows) -> None:
        self._opening = opening.wallets
        rows: dict[str, list[tuple[int, int]]] = {}
        for key, stream in venue.streams.items():
            listed = zip(stream.at_ms, stream.amount_e8, strict=True)
            rows.setdefault(key.asset, []).extend(row for row in listed if row[0] >= opening.from_ms)
        self._times = {asset: [at for at, _ in sorted(held)] for asset, held in rows.items()}
        self._sums = {asset: list(accumulate(amount for _, amount in sorted(held))) for asset, held in rows.items()}

    def moment(self, read: WalletRead, times: _Times) -> int | None:
        """The latest moment around the read at which every wallet had the figure read; None without one."""
        window = times.between(read.from_ms - QUIET_MS, read.to_ms + QUIET_MS)
        for moment in [*(at + 1 for at in reversed(window)), window[0]]:
            if all(abs(self._at(asset, moment) - held) <= DUST_E8 for asset, held in read.wallets.items()):
                return moment
        return None

    def _at(self, asset: str, moment: int) -> int:
        before = bisect_left(self._times.get(asset, []), moment)
        return self._opening.get(asset, 0) + (self._sums[asset][before - 1] if before else 0)


def _settled(disagreements: list[Cause], covered_ms: int) -> int:
    """A row the venue does not list yet is no disagreement while it is young: compare up to just before it."""
    young = [c.at_ms for c in disagreements if c.what == "missing_at_venue" and c.at_ms > covered_ms - LATE_MS]
    return min([covered_ms, *(at - QUIET_MS - 1 for at in young)])


def _day(
    before: WalletRead, read: WalletRead, booked: dict[str, int], listed: dict[str, int], wrong: list[Cause]
) -> Iterator[DayTie]:
    low, high = before.from_ms, read.from_ms

    def inside(at_ms: int) -> bool:
        return low <= at_ms < high

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
    at, other, ours, theirs, tried = 0, 0, here.ref, there.ref, 0
    while at < len(ours) or other < len(theirs):
        if at >= tried:
            same = _same(here, there, at, other)
            at, other, tried = at + same, other + same, at + same + (0 if same else _STRIDE)
            if same:
                continue
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


def _same(here: Stream, there: Stream, at: int, other: int) -> int:
    """A stride of rows that agree, or none. The row after it is another one, not the last one doubled."""
    stop, end, ours = at + _STRIDE, other + _STRIDE, here.ref
    if stop >= len(ours) or end > len(there.ref) or ours[stop] == ours[stop - 1]:
        return 0
    agree = ours[at:stop] == there.ref[other:end] and here.amount_e8[at:stop] == there.amount_e8[other:end]
    return _STRIDE if agree else 0


def _cause(what: str, key: Key, ref: int, at_ms: int, ours_e8: int, venue_e8: int) -> Cause:
    return Cause(
        what=what, kind=key.kind, symbol=key.symbol, asset=key.asset, ref=str(ref), at_ms=at_ms,
        ours=money(ours_e8), venue=money(venue_e8),
    )  # fmt: skip


def causes(days: Iterable[DayTie]) -> list[Cause]:
    """All causes of all days, in the order of time."""
    return sorted((each for day in days for each in day.causes), key=lambda c: (c.at_ms, c.kind, c.ref))
