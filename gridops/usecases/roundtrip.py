"""Round trips and the tie-out of an account: the list, one trip, and the report, from its journal alone.

Works beside a live engine, a hung or a dead one and says which. It asks the venue nothing and changes nothing but the
evidence that a report leaves.
"""

import gc
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal

import orjson

from gridops.adapters.clock import Clock
from gridops.decide import tieout
from gridops.decide.roundtrip_law import Law
from gridops.decide.roundtrip_pairing import Pairing
from gridops.decide.roundtrip_totals import KEYS, Point, Tally, Totals
from gridops.decide.roundtrip_trip import Rates, Trip
from gridops.decide.tieout import Cause, DayTie, TieOut
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import record
from gridops.errors import ConfigError
from gridops.usecases import roundtrip_read
from gridops.usecases.command_evidence import Story, newest, write
from gridops.usecases.liveness import Process, feel
from gridops.usecases.place import Place
from gridops.usecases.roundtrip_add import LEVELS, SHARE, Ahead, Sums, add
from gridops.usecases.roundtrip_read import History
from gridops.usecases.roundtrip_rows import TripRow, row

POINTS = 400
"""Moments of the course that a report holds."""
Progress = Callable[[int, int], None]


@record
class Source:
    """Whose history, how old, and whether the engine that writes it lives."""

    home: str
    account: str
    journal: str
    process: str
    process_detail: str
    rows: int
    fills: int
    as_of_ms: int
    age_ms: int


@record
class TripList:
    source: Source
    of: str
    trips: tuple[TripRow, ...]
    """Newest exit first."""
    open: tuple[TripRow, ...]
    closed: int
    evidence: EvidenceRef


@record
class Tie:
    """The tie-out as reported."""

    status: str
    reason: str
    from_ms: int
    to_ms: int
    waiting: int
    days: tuple[DayTie, ...]
    causes: tuple[Cause, ...]


@record
class Report:
    """Money in `asset`; `groups` are of the trips `of` names, by what `by` names."""

    source: Source
    asset: str
    of: str
    by: str
    rates: dict[str, Decimal]
    totals: dict[str, Totals]
    open_trips: dict[str, int]
    groups: dict[str, Totals]
    course: tuple[Point, ...]
    tieout: Tie
    law: tuple[Law, ...]
    findings: tuple[str, ...]
    evidence: EvidenceRef
    tieout_evidence: EvidenceRef | None

    @property
    def ok(self) -> bool:
        return not self.findings


@record
class Wanted:
    """What a report is asked for."""

    of: str = "rung"
    by: str = "level"
    asset: str | None = None
    rates: Rates


def listing(place: Place, wanted: Wanted, limit: int, progress: Progress = lambda _done, _total: None) -> TripList:
    """The newest closed trips and every open one. JournalError without a readable journal."""
    with _unhindered():
        source, history = _history(place, progress)
        _checked(wanted, history)
        newest_trips: deque[Trip] = deque(maxlen=limit)
        closed, still_open = 0, []
        for pairing in _pairings(history, wanted.asset):
            kept: deque[Trip] = deque(maxlen=limit)
            for trip in pairing.run():
                if trip.episode is (wanted.of == "episode"):
                    closed += 1
                    kept.append(trip)
            still_open += pairing.open_trips(episode=wanted.of == "episode")
            merged = sorted([*newest_trips, *kept], key=lambda trip: trip.exit_ms)
            newest_trips = deque(merged[-limit:], maxlen=limit)
    return TripList(
        source=source,
        of=wanted.of,
        trips=tuple(row(trip, wanted.rates) for trip in reversed(newest_trips)),
        open=tuple(row(trip, wanted.rates) for trip in still_open),
        closed=closed,
        evidence=newest(place.evidence_root, EvidenceMode.ROUNDTRIP),
    )


def report(
    place: Place,
    wanted: Wanted,
    progress: Progress = lambda _done, _total: None,
    export: Callable[[TripRow], None] | None = None,
) -> Report:
    """Totals, groups, course, tie-out and the equity law; `export` is handed every closed trip of the wanted level."""
    with _unhindered(), ExitStack() as stack:
        begun: list[Ahead] = []

        def meanwhile(history: History) -> None:
            longest = max(history.fills.values(), key=len, default=None)
            if longest is None or export is not None or wanted.by not in KEYS or wanted.of not in LEVELS:
                return
            if not begun or not (begun[0].flat or begun[0].pairing.fills is longest):
                begun[:] = [stack.enter_context(Ahead(_sums(wanted), Pairing(longest)))]
            begun[0].meanwhile(history.marks)

        source, history = _history(place, progress, meanwhile)
        return compile_report(place, wanted, source, history, export, begun)


def compile_report(
    place: Place,
    wanted: Wanted,
    source: Source,
    history: History,
    export: Callable[[TripRow], None] | None = None,
    begun: Sequence[Ahead] = (),
) -> Report:
    """The report of a history that was read, with what was `begun` to be counted meanwhile."""
    asset = _checked(wanted, history)
    sums = _sums(wanted)
    tallies = sums.tallies
    pairings = list(_pairings(history, asset))
    with ExitStack() as stack:
        ahead = next((each for each in begun for pairing in pairings if each.holds(pairing)), None)
        if ahead is None and pairings and export is None:
            longest = max(pairings, key=lambda each: len(each.fills))
            ahead = stack.enter_context(Ahead(sums, longest))
        if ahead is not None:
            # Begun before the ledgers are tied out, which takes seconds of a long history too.
            ahead.go_on(share=SHARE)
        tied = tie(history)
        for pairing in pairings:
            add(sums, pairing, tied.closing, export, ahead)
    law = sums.laws.judge(tied, history.booked(), asset) if history.opened else []
    found = tuple(_findings(history, tied, law))
    ref, tie_ref = _evidence(place, source, tied, tallies, law, found, list(sums.filed))
    return Report(
        source=source,
        asset=asset,
        of=wanted.of,
        by=wanted.by,
        rates=dict(wanted.rates),
        totals={of: tally.total() for of, tally in tallies.items()},
        open_trips=sums.open,
        groups=tallies[wanted.of].groups(),
        course=tallies[wanted.of].course(POINTS),
        tieout=_tie(tied),
        law=tuple(law),
        findings=found,
        evidence=ref,
        tieout_evidence=tie_ref,
    )


def load(place: Place, progress: Progress) -> tuple[Source, History]:
    """The history of the account, and whose it is."""
    with _unhindered():
        return _history(place, progress)


def tie(history: History) -> TieOut:
    """The tie-out of a history. Sorts its rows in place."""
    return tieout.tie_out(
        history.booked(), history.venue, history.reads, covered_ms=history.covered_ms, opened=history.opened
    )


def all_trips(history: History) -> Iterator[Trip]:
    """Every trip, closed and open, of both levels."""
    for pairing in _pairings(history, None):
        yield from pairing.run()
        for episode in (False, True):
            yield from pairing.open_trips(episode=episode)


def _sums(wanted: Wanted) -> Sums:
    tallies = {of: Tally(wanted.rates, KEYS[wanted.by] if of == wanted.of else None) for of in LEVELS}
    return Sums(tallies, wanted.of, wanted.rates)


def _history(
    place: Place, progress: Progress, meanwhile: Callable[[History], None] = lambda _history: None
) -> tuple[Source, History]:
    pulse = feel(place.home, place.account)
    path = place.home.journal(place.account)
    history = roundtrip_read.read(path, progress, meanwhile)
    now_ms = Clock().wall_ms()
    as_of_ms = now_ms if pulse.process is Process.LIVE else history.as_of_ms
    source = Source(
        home=str(place.home.root),
        account=place.account,
        journal=str(path),
        process=pulse.process.value,
        process_detail=pulse.detail,
        rows=history.rows,
        fills=sum(len(fills) for fills in history.fills.values()),
        as_of_ms=as_of_ms,
        age_ms=max(0, now_ms - as_of_ms),
    )
    return source, history


def _pairings(history: History, asset: str | None) -> Iterator[Pairing]:
    for symbol, fills in sorted(history.fills.items()):
        if asset in (None, fills.instrument.settle_asset):
            yield Pairing(fills, history.marks.get(symbol))


def _checked(wanted: Wanted, history: History) -> str:
    """The settlement asset meant. ConfigError when words are unknown or several assets could be meant."""
    if wanted.of not in LEVELS:
        raise ConfigError(f"--of {wanted.of!r} is refused", hint=f"allowed: {', '.join(LEVELS)}")
    if wanted.by not in KEYS:
        raise ConfigError(f"--by {wanted.by!r} is refused", hint=f"allowed: {', '.join(KEYS)}")
    settled = sorted({fills.instrument.settle_asset for fills in history.fills.values()})
    if wanted.asset is not None:
        if wanted.asset not in settled:
            raise ConfigError(f"--asset {wanted.asset!r} settles nothing here", hint=f"known: {', '.join(settled)}")
        return wanted.asset
    traded = sorted({fills.instrument.settle_asset for fills in history.fills.values() if len(fills)}) or settled
    if len(traded) > 1:
        raise ConfigError(f"trades settle in {', '.join(traded)}", hint="say which with --asset")
    return traded[0] if traded else ""


def _tie(tied: TieOut) -> Tie:
    return Tie(
        status=tied.status,
        reason=tied.reason,
        from_ms=tied.from_ms,
        to_ms=tied.to_ms,
        waiting=tied.waiting,
        days=tied.days,
        causes=tuple(tieout.causes(tied.days)),
    )


def _findings(history: History, tied: TieOut, laws: Sequence[Law]) -> Iterator[str]:
    for day in tied.days:
        if not day.ok:
            yield f"{day.asset}: residual {day.residual:f} with {len(day.causes)} causes"
    for symbol, trade_id in history.doubles:
        yield f"{symbol}: trade {trade_id} is booked twice"
    for symbol, fills in sorted(history.fills.items()):
        if min(fills.trade_id, default=0) >= 0:
            continue
        for trade_id, lots, sign in zip(fills.trade_id, fills.lots, fills.sign, strict=True):
            if trade_id < 0:
                yield f"{symbol}: position moved by {lots * sign} lots that no fill explains"
    for law in laws:
        if not law.ok:
            yield f"{law.asset}: trips, inventory and other rows miss the change of equity by {law.unattributed:f}"
        for symbol, (ours, venue) in law.positions.items():
            if ours != venue:
                yield f"{symbol}: fills make {ours} lots, the venue held {venue}"


def _evidence(
    place: Place,
    source: Source,
    tied: TieOut,
    tallies: dict[str, Tally],
    laws: Sequence[Law],
    found: Sequence[str],
    trips: Sequence[TripRow],
) -> tuple[EvidenceRef, EvidenceRef | None]:
    """The report's bundle, and on a residual one of the tie-out with the rows that cause it."""
    status = EvidenceStatus.FINDING if found else EvidenceStatus.OK
    facts = {
        "account": source.account,
        "process": source.process,
        "fills": source.fills,
        **{f"{of}_{name}": str(getattr(t.total(), name)) for of, t in tallies.items() for name in _SAID},
        "tieout": tied.status,
        "tieout_reason": tied.reason,
        "findings": list(found),
    }
    files = {"trips.jsonl": _lines(trips), "law.jsonl": _lines(laws), "tieout.jsonl": _lines(tied.days)}
    story = Story(
        mode=EvidenceMode.ROUNDTRIP,
        status=status,
        reason="finding" if found else tied.reason,
        title=f"round trips of {source.account}",
        facts=facts,
        files=files,
    )
    ref = write(place.evidence_root, story)
    if tied.status != "residual":
        return ref, None
    causes = tieout.causes(tied.days)
    residuals = {f"{day.asset}_{day.day}": f"{day.residual:f}" for day in tied.days if not day.ok}
    tie = Story(
        mode=EvidenceMode.TIEOUT,
        status=EvidenceStatus.FINDING,
        reason="residual",
        title=f"the ledgers of {source.account} disagree",
        facts={"account": source.account, "residuals": residuals, "causes": len(causes)},
        files={"tieout.jsonl": _lines(tied.days), "causes.jsonl": _lines(causes)},
    )
    return ref, write(place.evidence_root, tie)


_SAID = ("trips", "gross", "fees", "funding", "net", "unvalued_trips")


def _lines(rows: Sequence[object]) -> bytes:
    return b"".join(orjson.dumps(each, default=_plain) + b"\n" for each in rows)


def _plain(held: object) -> str:
    return f"{held:f}" if isinstance(held, Decimal) else str(held)


@contextmanager
def _unhindered() -> Iterator[None]:
    """Millions of small values and no cycles: the collector would only walk them again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
