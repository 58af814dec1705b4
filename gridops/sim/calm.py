"""Calm days: no faults at all, so that every alarm is a false one.

Beside `run`, which breaks things and asks whether the invariants hold. A calm day counts 2,000 market events and 200
order events; what is scarcer counts. Alarms are read from the rows that reached the disk, never from the engine.
"""

from collections.abc import Callable
from functools import partial
from itertools import count

from gridops.domain.records import MismatchSeen, Transition
from gridops.domain.values import record
from gridops.domain.vocabulary import FsmState
from gridops.runtime import codec
from gridops.runtime.ports_journal import JournalRow
from gridops.sim import pool
from gridops.sim.day import Day
from gridops.sim.faults import CALM
from gridops.sim.run import DAY_MARKET_EVENTS, DAY_ORDER_EVENTS, run_day

ALARMS = (FsmState.EMERGENCY, FsmState.DEGRADED, FsmState.PAUSED)
HOURS = 0.25
"""Of virtual time per seed: a little more than one day's content."""
_NAMED = (b'"Transition"', b'"MismatchSeen"')


@record
class CalmReport:
    """What one seed did. `alarms` are the false ones, as state or mismatch with what was said about it."""

    seed: int
    market_events: int
    order_events: int
    fills: int
    checks: int
    alarms: tuple[str, ...]
    violation: str

    @property
    def days_milli(self) -> int:
        """Calm days in thousandths, by the scarcer of the two contents."""
        return min(self.market_events * 1_000 // DAY_MARKET_EVENTS, self.order_events * 1_000 // DAY_ORDER_EVENTS)


class Alarms:
    """Collects the alarms of one run from its durable rows."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def on_row(self, row: JournalRow) -> None:
        """Read a row that may hold one."""
        if not any(name in row.body for name in _NAMED):
            return
        stored = codec.decode_row(row.body)
        for said in codec.records_of(stored):
            if isinstance(said, Transition) and said.to_state in ALARMS:
                self.found.append(f"{said.to_state}: {said.from_state}, {said.reason} ({said.detail}), row {row.seq}")
            elif isinstance(said, MismatchSeen) and not said.closed:
                self.found.append(f"mismatch: {said.kind} {said.key}, {said.local} and {said.venue}, row {row.seq}")


def run_calm_day(seed: int, *, hours: float = HOURS, prepare: Callable[[Day], None] = lambda _: None) -> CalmReport:
    """One seed without faults; `prepare` may plant a cause for an alarm."""
    alarms = Alarms()

    def listen(day: Day) -> None:
        day.disk.on_row.append(alarms.on_row)
        prepare(day)

    report = run_day(seed, hours=hours, faults=CALM, prepare=listen)
    return CalmReport(
        seed=seed,
        market_events=report.market_events,
        order_events=report.order_events,
        fills=report.fills,
        checks=report.checks,
        alarms=tuple(alarms.found),
        violation=report.violation,
    )


def run_calm_days(
    first: int,
    days: int,
    *,
    say: Callable[[str], None],
    progress: Callable[[str], None] = lambda _: None,
    hours: float = HOURS,
    jobs: int = 1,
) -> int:
    """Run seeds until that many calm days are over; the number of false alarms and broken invariants."""
    done = _Sums()
    for report, took_ns in pool.each(partial(run_calm_day, hours=hours), count(first), jobs=jobs):
        done.take(report, took_ns)
        for alarm in (*report.alarms, *filter(None, [report.violation])):
            say(f"FALSE ALARM seed {report.seed}, {alarm}")
        if done.seeds % 10 == 0:
            progress(f"{done.seeds} seeds, {done.days_milli // 1_000} of {days} calm days, {len(done.alarms)} alarms")
        if done.days_milli >= days * 1_000:
            break
    say(done.line())
    return len(done.alarms) + done.broken


class _Sums:
    def __init__(self) -> None:
        self.seeds = self.days_milli = self.market = self.orders = self.broken = self.cpu_ns = 0
        self.alarms: list[str] = []

    def take(self, report: CalmReport, took_ns: int) -> None:
        self.seeds += 1
        self.days_milli += report.days_milli
        self.market += report.market_events
        self.orders += report.order_events
        self.broken += bool(report.violation)
        self.cpu_ns += took_ns
        self.alarms += report.alarms

    def line(self) -> str:
        """The count, by kind of alarm."""
        kinds = (*(state.value for state in ALARMS), "mismatch")
        told = ", ".join(f"{sum(a.startswith(f'{kind}:') for a in self.alarms)} false {kind}" for kind in kinds)
        content = f"{self.market} market events, {self.orders} order events"
        pace = self.days_milli * 60_000_000 / max(self.cpu_ns, 1)
        return (
            f"{self.days_milli // 1_000} calm virtual days ({self.seeds} seeds, {content}): {told}, "
            f"{self.broken} invariants broken; {pace:.0f} days per core-minute"
        )
