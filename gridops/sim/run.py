"""Run seeds: one day each, a line per failing seed, and how many virtual days a minute of one core gives.

A virtual day is counted by content, as performance figures define it: 2,000 market events, 200 order events and 40
faults; what is scarcest counts.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gridops.domain.values import record
from gridops.sim import pool
from gridops.sim.day import Day
from gridops.sim.faults import DENSE, STORM, FaultRates, scaled
from gridops.sim.judge import Violation
from gridops.sim.shrink import MOST_RUNS, Shrunk, shrink

DAY_MARKET_EVENTS, DAY_ORDER_EVENTS, DAY_FAULTS = 2_000, 200, 40


@record
class SimReport:
    """What one run did. `violation` is empty when every invariant held."""

    seed: int
    virtual_ms: int
    events: int
    market_events: int
    order_events: int
    faults: int
    fills: int
    boots: int
    inputs: int
    checks: int
    digest: str
    violation: str = ""
    invariant: str = ""
    """Name of the one that broke."""
    struck: tuple[str, ...] = ()
    """The faults, by name, in the order in which they struck."""

    @property
    def days_milli(self) -> int:
        """Virtual days in thousandths, by the scarcest of the three contents."""
        return min(
            self.market_events * 1_000 // DAY_MARKET_EVENTS,
            self.order_events * 1_000 // DAY_ORDER_EVENTS,
            self.faults * 1_000 // DAY_FAULTS,
        )


def run_day(
    seed: int,
    *,
    hours: float = 1.0,
    faults: FaultRates = STORM,
    market: str = "",
    only: frozenset[str] | None = None,
    prepare: Callable[[Day], None] = lambda _: None,
) -> SimReport:
    """One seeded run. `market` is `light:SEED` of the same seed unless given; `prepare` may plant a defect.

    `only` names the faults that may strike; None = all that are due.
    """
    day = Day(seed, hours=hours, faults=faults, market=market or f"light:{seed}", only=only)
    prepare(day)
    broken, digest, name = "", "", ""
    try:
        day.run()
        digest = day.digest()
    except Violation as violation:
        broken, name = f"{_where(day)}, {violation}", violation.invariant
    except Exception as error:
        # A bug keeps its traceback, and ends the sweep; its seed is told with it.
        error.add_note(_where(day))
        raise
    finally:
        day.close()
    return _report(day, digest, broken, name)


def _where(day: Day) -> str:
    return f"seed {day.seed}, virtual {day.scheduler.now_ms / 1_000:.3f} s, event {day.scheduler.events}"


def run_twice(work: Callable[[], SimReport]) -> SimReport:
    """One run done twice, which must agree byte for byte (I-32); the first one's report when they do."""
    first, again = work(), work()
    if first == again:
        return first
    told = f"seed {first.seed}, I-32: digests {first.digest[:16]} and {again.digest[:16]}"
    return replace(first, violation=told, invariant="I-32")


def _report(day: Day, digest: str, broken: str, name: str) -> SimReport:
    judge = day.judge
    messages = day.rest.struck + day._user.faults + day._market.faults
    return SimReport(
        seed=day.seed,
        virtual_ms=day.scheduler.now_ms,
        events=day.scheduler.events,
        market_events=day.market_events,
        order_events=judge.order_events,
        faults=messages + sum(day.calendar.struck.values()),
        fills=len(judge.trades),
        boots=day.boots,
        inputs=0 if day.process is None else day.process.engine.state.seq,
        checks=judge.checks,
        digest=digest,
        violation=broken,
        invariant=name,
        struck=tuple(day.gate.struck),
    )


def run_seed(
    seed: int, *, hours: float, kind: str = "light", intensity: int = 1, only: frozenset[str] | None = None
) -> SimReport:
    """One seed of a sweep, by the words of the command line alone."""
    rates = DENSE if kind == "busy" else STORM
    return run_day(seed, hours=hours, faults=scaled(rates, intensity), market=f"{kind}:{seed}", only=only)


def shortest(report: SimReport, work: Callable[..., SimReport], *, most_runs: int = MOST_RUNS) -> Shrunk:
    """The shortest schedule found for a run that failed; `work` is `run_seed` with that run's words."""
    return shrink(
        report.invariant,
        report.struck,
        lambda faults: work(report.seed, only=faults).invariant,
        most_runs=most_runs,
    )


def run_seeds(
    first: int,
    count: int,
    *,
    hours: float,
    say: Callable[[str], None],
    intensity: int = 1,
    jobs: int = 1,
    kind: str = "light",
    only: frozenset[str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> int:
    """Run seeds, one day each; the number that broke an invariant. A failing one is said when it is known.

    `kind` is the market: "light", or "busy" with as many faults as belong to it.
    """
    failed, days, virtual_ms, checks, cpu_ns = 0, 0, 0, 0, 0
    work = partial(run_seed, hours=hours, kind=kind, intensity=intensity, only=only)
    for number, (report, took_ns) in enumerate(pool.each(work, range(first, first + count), jobs=jobs), 1):
        cpu_ns += took_ns
        days += report.days_milli
        virtual_ms += report.virtual_ms
        checks += report.checks
        if report.violation:
            failed += 1
            found = shortest(report, work)
            same = f"--first-seed {report.seed} --seeds 1 --hours {hours} --intensity {intensity} --market {kind}"
            say(f"FAILED {report.violation}; again: python -m gridops.sim {same}")
            say(f"  {found}; only those: python -m gridops.sim {same} --only {','.join(found.faults) or 'none'}")
        if number % 10 == 0:
            progress(f"{number} of {count} seeds, {failed} failed, {checks} checks")
    minutes = max(cpu_ns, 1) / 60e9
    pace = f"{days / 1_000 / minutes:.0f} days and {count / minutes:.0f} seeds per core-minute"
    hours_run = f"{virtual_ms / 3_600_000:.1f} virtual hours, {days / 1_000:.0f} virtual days"
    say(f"{count} seeds, {failed} failed, {hours_run}, {checks} checks, {pace}")
    return failed
