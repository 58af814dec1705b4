"""A soak in virtual time: one life of many hours under faults, and every hour what each part of it holds in memory.

Beside `run`, for `python -m gridops.sim --soak`. The process's memory is mostly the judge's and the venue's, who forget
nothing by nature; so the parts are weighed one by one, and the engine's part must not grow. It judges by the judge.
"""

import gc
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import msgspec

from gridops.domain.values import record
from gridops.runtime.ports_journal import JournalRow
from gridops.runtime.state_codec import encode_state
from gridops.sim.day import Day
from gridops.sim.faults import STORM, FaultRates
from gridops.sim.growth import Slope, after, slope
from gridops.sim.run import run_day
from gridops.sim.scheduler import SECOND

HOUR_NS = 3_600 * SECOND
SOAK = replace(STORM, crash=0, power_cut=0)
"""The storm without deaths, so that what leaks is not thrown away every few minutes."""
WARM_HOURS = 3.0
"""Windows of the engine, of volatility and rates, are full by then."""
_MB = 1e6
_CODE = (ModuleType, type, FunctionType)


@record
class Hour:
    """What is held at the end of a virtual hour; sizes in bytes. Journal figures are those of the hour alone."""

    hour: float
    life: int
    """Starts of the engine so far: what a new process holds begins anew."""
    rss: int
    engine: int
    state: int
    """Of the encoded state: what a checkpoint writes."""
    venue: int
    judge: int
    disk: int
    rows: int
    journal: int
    fills: int


@record
class SoakReport:
    """Slopes are per virtual hour after the warm-up: `engine` in kB, `state` in bytes, `rss` in MB."""

    seed: int
    hours: list[Hour]
    violation: str
    faults: int
    checks: int
    engine: Slope | None
    state: Slope | None
    rss: Slope | None

    @property
    def ok(self) -> bool:
        grown = (self.engine and self.engine.above_noise) or (self.state and self.state.above_noise)
        return not self.violation and not grown


class _Watch:
    """Looks once an hour."""

    def __init__(self, day: Day, say: Callable[[str], None]) -> None:
        self._day, self._say = day, say
        self.hours: list[Hour] = []
        self._rows = self._bytes = 0
        day.disk.on_row.append(self._row)
        day.scheduler.at(HOUR_NS, self._look)

    def _row(self, row: JournalRow) -> None:
        self._rows += 1
        self._bytes += len(row.body)

    def _look(self) -> None:
        day, process = self._day, self._day.process
        if process is None:
            return
        gc.collect()
        judges = [day.judge, day.judge.intents, day.judge.rows, day.judge.asks]
        parts = [day, day.scheduler, day.clock, day.core, day.disk, day.rest, day.calendar, day.source, *judges]
        found = Hour(
            hour=day.scheduler.now_ns / HOUR_NS,
            life=day.boots,
            rss=resident(),
            engine=held_bytes((process, process.engine, process.adapter), parts),
            state=len(encode_state(process.engine.state)),
            venue=held_bytes((day.core,), parts),
            judge=held_bytes(judges, parts),
            disk=held_bytes((day.disk,), parts),
            rows=self._rows,
            journal=self._bytes,
            fills=len(day.judge.trades),
        )
        self._rows = self._bytes = 0
        self.hours.append(found)
        self._say(line(found))
        if day.scheduler.now_ns < day.end_ns:
            day.scheduler.after(HOUR_NS, self._look)


def soak(seed: int, *, hours: float, faults: FaultRates = SOAK, say: Callable[[str], None] = print) -> SoakReport:
    """One seeded life of that many virtual hours; a line every hour."""
    watched: list[_Watch] = []
    report = run_day(seed, hours=hours, faults=faults, prepare=lambda day: watched.append(_Watch(day, say)))
    seen = watched[0].hours
    return SoakReport(
        seed=seed,
        hours=seen,
        violation=report.violation,
        faults=report.faults,
        checks=report.checks,
        engine=_slope(seen, lambda each: each.engine / 1e3),
        state=_slope(seen, lambda each: each.state),
        rss=_slope(seen, lambda each: each.rss / _MB),
    )


def told(report: SoakReport) -> list[str]:
    """The result as lines."""
    hours = report.hours
    written = sum(each.journal for each in hours) / max(len(hours), 1) / _MB
    rows = sum(each.rows for each in hours) // max(len(hours), 1)
    lines = [
        f"seed {report.seed}: {len(hours)} virtual hours, {report.faults} faults, {report.checks} checks",
        f"engine, kB: {report.engine or 'too short to say'}",
        f"its encoded state, bytes: {report.state or 'too short to say'}",
        f"process RSS with venue and judge, who keep every order, MB: {report.rss or 'too short to say'}",
        f"journal: {written:.2f} MB and {rows} rows a virtual hour",
    ]
    if report.violation:
        return [*lines, f"VIOLATION {report.violation}"]
    return [*lines, "0 violations" + ("" if report.ok else "; GROWS: the engine's part rises by more than its noise")]


def line(hour: Hour) -> str:
    """One hour in one line."""
    return (
        f"hour {hour.hour:4.1f}: RSS {hour.rss / _MB:.1f} MB; engine {hour.engine / 1e3:.0f} kB, "
        f"state {hour.state} B, venue {hour.venue / _MB:.2f} MB, judge {hour.judge / _MB:.2f} MB, "
        f"disk {hour.disk / _MB:.2f} MB; journal {hour.journal / _MB:.2f} MB in {hour.rows} rows; {hour.fills} fills"
    )


def resident() -> int:
    """Bytes of this process that are in memory now."""
    for each in Path("/proc/self/status").read_text().splitlines():
        if each.startswith("VmRSS:"):
            return int(each.split()[1]) * 1_024
    return 0


def held_bytes(roots: Iterable[Any], fence: Iterable[Any]) -> int:
    """Bytes of all that hangs on the roots, without what hangs on a member of the fence that is no root; no code."""
    todo = list(roots)
    seen = {id(each) for each in fence} - {id(each) for each in todo}
    total = 0
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, _CODE):
            continue
        seen.add(id(each))
        total += _own_bytes(each)
        todo += gc.get_referents(each)
    return total


def _own_bytes(each: object) -> int:
    """`sys.getsizeof`, which reads garbage from a `msgspec.Raw`."""
    return len(memoryview(each)) if isinstance(each, msgspec.Raw) else sys.getsizeof(each)


def _slope(hours: list[Hour], figure: Callable[[Hour], float]) -> Slope | None:
    lives: dict[int, list[tuple[float, float]]] = {}
    for each in hours:
        lives.setdefault(each.life, []).append((each.hour, figure(each)))
    return slope([after(life, WARM_HOURS) for life in lives.values()])
