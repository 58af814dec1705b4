"""A soak on the wire: one engine process with the real client against the emulator for hours, under seeded faults.

Above the bench of the drills and below `scripts/soak.py`. It strikes, samples, plays the operator where the engine
waits for one, and ends in order; what the run proved is `soak_verdict`'s business.
"""

import contextlib
import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any, TextIO

from gridops.adapters.home import Home
from gridops.adapters.journal_reader import JournalReader
from gridops.domain.values import record
from gridops.errors import ExitCode, GridopsError, JournalError
from gridops.usecases.drill_bench import ACCOUNT, Bench, BenchFailed, Engine
from gridops.usecases.soak_faults import Strike, plan

SAMPLE_S = 15.0
ATTEND_S = 45.0
"""An operator looks after an engine that waits for one after that long."""
SETTLE_S = 240.0
"""Once the faults are over the engine quotes again within this."""
SUPERVISOR_S = 2.0
_TICK_S = 0.2
_SETTINGS = {
    "GRIDOPS_HEALTH__FEED_STALE_SECONDS": "3",
    "GRIDOPS_RISK__MAX_DRAWDOWN": "0.5",
    "GRIDOPS_RISK__DAILY_DRAWDOWN": "0.5",
}
"""A soak looks for leaks and for wrong books over hours; a drawdown would end its trading."""


@record
class Sample:
    """One look at everything. Sizes in bytes; of an engine that does not answer, `state` is empty."""

    at_s: float
    life: int
    """Number of the engine process."""
    rss: int
    venue_rss: int
    journal: int
    rows: int
    state: str
    lag_ms: float
    orders: int
    position_lots: int
    blocks: int
    """Of the engine's Python heap in use, by its own metrics; 0 of an engine that does not answer, also `heap`."""
    heap: int
    """Bytes of the engine's C heap in use."""


@record
class Soaked:
    """What a soak left: the bench's home with everything stopped but the venue."""

    seconds: float
    samples: list[Sample]
    lives: int
    kills: int
    turned_away: int
    """Starts that ended because the venue could not be used at that moment."""
    struck: Counter[str]
    """Verb -> how often it hit a request, a frame or a process."""
    attended: Counter[str]
    """The operator's commands."""
    failures: list[str]
    """What ended it or went wrong while it ran; empty when it ran as planned."""
    ahead: list[tuple[float, float]]
    """(wall s, ms) of each time the venue's clock was set apart from ours."""


class Soak:
    """One run. `say` gets a line every few minutes; samples go to `out` as JSON lines."""

    def __init__(
        self, bench: Bench, *, seconds: float, seed: int, intensity: float, kills: int, out: TextIO,
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._bench, self._seconds, self._out, self._say = bench, seconds, out, say
        self._strikes = plan(seed, seconds, intensity, kills)
        self._ends: list[tuple[float, Callable[[], None]]] = []
        self._samples: list[Sample] = []
        self._struck: Counter[str] = Counter()
        self._attended: Counter[str] = Counter()
        self._failures: list[str] = []
        self._ahead: list[tuple[float, float]] = []
        self._kills = self._turned_away = 0
        self._waits_since_s: float | None = None
        self._began_s = time.monotonic()

    def run(self) -> Soaked:
        """Soak, let the faults end, wait until it quotes, stop in order."""
        engine = self._bench.start(active=False)
        sampled_s = told_s = 0.0
        while (now_s := self._now_s()) < self._seconds:
            engine = self._alive(engine)
            self._strike(engine, now_s)
            if now_s >= sampled_s:
                sampled_s = now_s + SAMPLE_S
                self._look(engine, now_s)
            if now_s >= told_s:
                told_s = now_s + max(self._seconds / 24, 60.0)
                self._tell(now_s)
            time.sleep(_TICK_S)
        self._quiesce(engine)
        return Soaked(
            seconds=self._now_s(), samples=self._samples, lives=len(self._bench.engines), kills=self._kills,
            turned_away=self._turned_away,
            struck=self._struck, attended=self._attended, failures=self._failures, ahead=self._ahead,
        )  # fmt: skip

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _alive(self, engine: Engine) -> Engine:
        """The engine that runs; a new one for one that ended.

        By itself it ends only when a start meets a venue that cannot be used: whoever supervises it starts it again.
        """
        code = engine.process.poll()
        if code is None:
            return engine
        if code == ExitCode.VENUE and not engine.errors().startswith("account"):
            self._turned_away += 1
            time.sleep(SUPERVISOR_S)
        elif code != -signal.SIGKILL:
            self._failures.append(f"the engine ended with {code} after {self._now_s():.0f} s: {engine.errors()[-400:]}")
        engine.close()
        return self._bench.start(active=False)

    # Faults.

    def _strike(self, engine: Engine, now_s: float) -> None:
        for end in [each for each in self._ends if each[0] <= now_s]:
            self._ends.remove(end)
            end[1]()
        while self._strikes and self._strikes[0].at_s <= now_s:
            strike = self._strikes.pop(0)
            if strike.verb == "engine.kill":
                self._kills += 1
                engine.process.kill()
                engine.process.wait(10)
            elif strike.verb == "engine.freeze":
                self._freeze(engine, strike)
            else:
                self._arm(strike)

    def _freeze(self, engine: Engine, strike: Strike) -> None:
        engine.send(signal.SIGSTOP)
        self._struck[strike.verb] += 1
        self._ends.append((self._now_s() + strike.lasts_s, lambda: engine.send(signal.SIGCONT)))

    def _arm(self, strike: Strike) -> None:
        """Arm it, and take it away again when it is over: a plan of spent faults would slow the venue down."""
        armed = self._bench.venue.fault(strike.verb, **strike.body)
        number = armed["id"]
        if strike.verb == "clock.skew":
            self._ahead.append((time.time(), strike.body["args"]["ms"]))
        self._ends.append((self._now_s() + strike.lasts_s, lambda: self._disarm(strike, number, armed["hits"])))

    def _disarm(self, strike: Strike, number: int, hits: int) -> None:
        listed = self._bench.venue.summary()["faults"]
        self._struck[strike.verb] += next((each["hits"] for each in listed if each["id"] == number), hits)
        self._bench.venue.command("clear", {"id": number})
        if strike.verb == "clock.skew":
            self._bench.venue.fault("clock.skew", args={"ms": 0})
            self._ahead.append((time.time(), 0))

    # Looking.

    def _look(self, engine: Engine, now_s: float) -> None:
        snapshot: dict[str, Any] = {}
        figures: dict[str, float] = {}
        with contextlib.suppress(GridopsError, OSError, ValueError):
            snapshot, figures = engine.snapshot(), engine.metrics()
        self._attend(engine, str(snapshot.get("state", "")), now_s)
        size, rows = _journal(self._bench.home)
        sample = Sample(
            at_s=round(now_s, 1),
            life=len(self._bench.engines),
            rss=_rss(engine.pid),
            venue_rss=_rss(self._bench.venue.pid),
            journal=size,
            rows=rows,
            state=str(snapshot.get("state", "")),
            lag_ms=_sum(figures, "gridops_loop_lag_seconds") * 1_000,
            orders=int(_sum(figures, "gridops_orders_open")),
            position_lots=int(_sum(figures, "gridops_position_lots")),
            blocks=int(_sum(figures, "gridops_memory_blocks")),
            heap=int(_sum(figures, "gridops_memory_heap_bytes")),
        )
        self._samples.append(sample)
        self._out.write(json.dumps({name: getattr(sample, name) for name in Sample.__slots__}) + "\n")  # type: ignore[attr-defined]
        self._out.flush()

    def _attend(self, engine: Engine, state: str, now_s: float) -> None:
        """An operator comes when the engine waits for one: it acknowledges an emergency and resumes a pause."""
        command = {"EMERGENCY": "ack", "PAUSED": "resume"}.get(state)
        if command is None:
            self._waits_since_s = None
        elif self._waits_since_s is None:
            self._waits_since_s = now_s
        elif now_s - self._waits_since_s >= ATTEND_S:
            with contextlib.suppress(GridopsError):
                engine.ask(
                    command, reason="the soak's operator", **({"accept_position": True} if command == "ack" else {})
                )
                self._attended[command] += 1

    def _tell(self, now_s: float) -> None:
        last = self._samples[-1]
        self._say(
            f"{now_s / 60:6.1f} min {last.state or 'no answer':10} engine {last.rss / 1e6:.1f} MB, "
            f"venue {last.venue_rss / 1e6:.1f} MB, journal {last.journal / 1e6:.1f} MB, {last.rows} rows, "
            f"{last.orders} orders, {sum(self._struck.values())} faults struck, {len(self._failures)} failures"
        )

    # The end.

    def _quiesce(self, engine: Engine) -> None:
        for _, end in self._ends:
            end()
        self._ends.clear()
        self._bench.venue.command("clear")
        until_s = self._now_s() + SETTLE_S
        state = ""
        while self._now_s() < until_s and state not in ("ACTIVE", "THROTTLED"):
            engine = self._alive(engine)
            with contextlib.suppress(GridopsError):
                state = str(engine.snapshot()["state"])
                self._attend(engine, state, self._now_s())
            time.sleep(1.0)
        if state not in ("ACTIVE", "THROTTLED"):
            self._failures.append(
                f"I-17: {state or 'silent'} {SETTLE_S:g} s after the last fault: {engine.errors()[-400:]}"
            )
        try:
            engine.stop()
        except (BenchFailed, TimeoutError, ValueError) as failed:
            self._failures.append(f"it did not stop in order: {failed}"[:400])


def bench(folder: Path) -> Bench:
    """A bench for hours: market at its own pace, limits that no drawdown of the made-up market ends.

    Its venue outlasts the proofs of a journal of hours, which take minutes and ask it nothing until they are done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return Bench(folder, speed="1", idle_exit_s="1800", **_SETTINGS)


def _sum(figures: dict[str, float], name: str) -> float:
    """Of all label sets of a metric; one that is not known yet is shown as no number, and counts nothing."""
    return sum(held for sample, held in figures.items() if sample.partition("{")[0] == name and not isnan(held))


def _rss(pid: int) -> int:
    """Resident bytes; 0 of a process that is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1_024
    return 0


def _journal(home: Path) -> tuple[int, int]:
    """(bytes on the disk with the log beside it, last row)."""
    path = Home(home).journal(ACCOUNT)
    size = sum(each.stat().st_size for each in path.parent.glob(path.name + "*") if each.is_file())
    with contextlib.suppress(JournalError), JournalReader(path) as reader:
        last = reader.last_row()
        return size, last.seq if last else 0
    return size, 0
