"""What a soak proved: books against the oracle, every journaled invariant, replay, evidence, and whether memory grew.

Reads a home whose engine has stopped and whose venue still answers. The engine's own word counts for nothing.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from gridops.adapters.home import Home
from gridops.adapters.journal_reader import JournalReader
from gridops.domain.records import Transition
from gridops.domain.values import record
from gridops.runtime import codec
from gridops.runtime.ports_journal import InputRow
from gridops.sim.growth import Slope, after, slope
from gridops.sim.judge_rows import RowJudge
from gridops.sim.violation import Verdicts
from gridops.usecases.drill_bench import ACCOUNT, Bench, differences, increases
from gridops.usecases.soak import Sample, Soaked

WARM_HOURS = 0.25
"""Caches and pools fill within that; a life shorter than twice as long says nothing."""
GRACE_S = 5.0
"""Between a state and an increase that was decided in it, with every delay that a fault may add under the way."""
OURS_TO_AVOID = (-1022, -1102, -1104, -1106, -1111, -4003, -4004, -4005, -4014, -4164)
"""Refusals that no fault makes up and no market move excuses: signature, parameters, precision, quantity, notional."""
_OPENING = ("ACTIVE", "THROTTLED")
_MB = 1e6


@record
class Verdict:
    """`violations` decide together with the engine's memory, held and taken; the rest is said."""

    violations: list[str]
    memory: Slope | None
    """MB an hour of the engine process."""
    blocks: Slope | None
    """Thousands of blocks that the engine holds in Python's heap, an hour: a leak that the process's reserve hides."""
    heap: Slope | None
    """MB that it holds in the C library's heap, an hour."""
    venue_memory: Slope | None
    journal_mb_per_hour: float
    rows_per_hour: float
    checks: int
    fills: int
    requests: int
    worst_lag_ms: float
    states: dict[str, int]

    @property
    def ok(self) -> bool:
        return not self.violations and not self.grows

    @property
    def grows(self) -> list[str]:
        """Which of the engine's figures rise by more than their noise."""
        named = {"memory": self.memory, "blocks in use": self.blocks, "heap in use": self.heap}
        return [name for name, slope in named.items() if slope and slope.above_noise]


def told(soaked: Soaked, verdict: Verdict) -> list[str]:
    """The result as lines of text."""
    struck = ", ".join(f"{name} {count}" for name, count in sorted(soaked.struck.items()))
    seen = sum(verdict.states.values())
    states = ", ".join(f"{name or 'no answer'} {count / seen:.0%}" for name, count in verdict.states.items())
    ends = f"{soaked.lives} engine lives, {soaked.kills} SIGKILLs, {soaked.turned_away} starts turned away"
    journal = f"{verdict.journal_mb_per_hour:.2f} MB and {verdict.rows_per_hour:.0f} rows an hour"
    lines = [
        f"{soaked.seconds / 3_600:.2f} h, {ends}, operator: {dict(soaked.attended) or 'not needed'}",
        f"faults struck: {sum(soaked.struck.values())} ({struck})",
        f"{verdict.requests} requests, {verdict.fills} fills, {verdict.checks} checks of rows; states: {states}",
        f"engine RSS, MB: {verdict.memory or 'too short a life to say'}",
        f"engine's blocks in use, thousands: {verdict.blocks or 'too short a life to say'}",
        f"engine's C heap in use, MB: {verdict.heap or 'too short a life to say'}",
        f"venue RSS, MB: {verdict.venue_memory or 'too short to say'}",
        f"journal: {journal}; worst loop lag {verdict.worst_lag_ms:.0f} ms",
    ]
    lines += [f"GROWS: the engine's {name} rises by more than its noise" for name in verdict.grows]
    return lines + [f"VIOLATION {each}" for each in verdict.violations] + [f"{len(verdict.violations)} violations"]


class _NoVenue:
    """The rows are read afterwards: what rested at the venue at that time is not known any more."""

    live_ids: frozenset[str] = frozenset()

    def booked_lots(self, _client_id: str) -> int:
        """The fills are held against the venue's own at the end."""
        return 1 << 62

    def ban_told(self, _until_ms: int) -> None:
        """Nobody asks."""


def judge(bench: Bench, soaked: Soaked) -> Verdict:
    """Everything that can be held against the journal and the oracle."""
    verdicts = Verdicts()
    verdicts.collecting = True
    secrets = (bench.venue.api_key.encode(), bench.venue.api_secret.encode())
    now_ms = 0
    rows = RowJudge(verdicts, _NoVenue(), secrets, lambda: now_ms)  # type: ignore[arg-type]
    moves: list[tuple[float, str]] = []
    for row in _rows(bench.home):
        now_ms = row.wall_ms
        rows.read(row)  # type: ignore[arg-type]
        for said in codec.records_of(codec.decode_row(row.body)):
            if isinstance(said, Transition):
                moves.append((row.wall_ms / 1_000, said.to_state.value))
    found = [str(each) for each in verdicts.found]
    found += [f"books: {each}" for each in differences(bench)]
    found += _twice(bench) + _refused(bench) + _raised(bench, soaked, moves) + _commands(bench)
    samples = soaked.samples
    memory, blocks, heap = slopes(samples)
    hours = max(samples[-1].at_s - samples[0].at_s, 1.0) / 3_600
    return Verdict(
        violations=soaked.failures + found,
        memory=memory,
        blocks=blocks,
        heap=heap,
        venue_memory=slope([after([(each.at_s / 3_600, each.venue_rss / _MB) for each in samples], WARM_HOURS)]),
        journal_mb_per_hour=(samples[-1].journal - samples[0].journal) / _MB / hours,
        rows_per_hour=(samples[-1].rows - samples[0].rows) / hours,
        checks=rows.checks,
        fills=bench.fills(),
        requests=bench.last_request(),
        worst_lag_ms=max(each.lag_ms for each in samples),
        states={name: sum(each.state == name for each in samples) for name in sorted({s.state for s in samples})},
    )


def slopes(samples: list[Sample]) -> tuple[Slope | None, Slope | None, Slope | None]:
    """Of the engine's RSS in MB, its blocks in thousands, its C heap in MB: an hour, over all lives long enough."""
    return (
        slope(_lives(samples, lambda each: each.rss / _MB)),
        slope(_lives(samples, lambda each: each.blocks / 1e3)),
        slope(_lives(samples, lambda each: each.heap / _MB)),
    )


def _lives(samples: list[Sample], figure: Callable[[Sample], float]) -> list[list[tuple[float, float]]]:
    """A figure over hours, where it is known: a list for each process that lived long enough to say anything."""
    lives: dict[int, list[tuple[float, float]]] = {}
    for each in samples:
        if figure(each):
            lives.setdefault(each.life, []).append((each.at_s / 3_600, figure(each)))
    return [
        list(after(life, WARM_HOURS)) for life in lives.values() if life[-1][0] - life[0][0] >= 2 * WARM_HOURS
    ]  # fmt: skip


def _rows(home: Path) -> Iterator[InputRow]:
    with JournalReader(Home(home).journal(ACCOUNT)) as reader:
        reader.verify_all()
        yield from reader.rows(0, 1 << 62)


def _twice(bench: Bench) -> list[str]:
    seen: set[str] = set()
    found = []
    for order in bench.truth()["orders"]:
        if order["clientOrderId"] in seen:
            found.append(f"I-02: {order['clientOrderId']} is two orders at the venue")
        seen.add(order["clientOrderId"])
    return found


def _refused(bench: Bench) -> list[str]:
    codes = bench.venue.summary()["codes"]
    return [
        f"I-08: the venue answered {code} {codes[str(code)]} times" for code in OURS_TO_AVOID if codes.get(str(code))
    ]


def _raised(bench: Bench, soaked: Soaked, moves: list[tuple[float, str]]) -> list[str]:
    """Increases that arrived when the journal says the engine was, and had been, in no state that may write them."""
    found = []
    for each in increases(bench, bench.requests(0)):
        at_s = each["at_ms"] / 1_000
        ahead_s = next((ms for since_s, ms in reversed(soaked.ahead) if since_s <= at_s), 0) / 1_000
        slack_s = GRACE_S + abs(ahead_s) + 1.5
        before = next((state for since_s, state in reversed(moves) if since_s <= at_s - slack_s), "INIT")
        near = [state for since_s, state in moves if at_s - slack_s < since_s <= at_s + slack_s]
        if not {before, *near} & set(_OPENING):
            found.append(f"I-10: {each['method']} {each['path']} (request {each['seq']}) arrived in {before}")
    return found


def _commands(bench: Bench) -> list[str]:
    """What an operator's own proofs say of the home: replay of the whole journal, and the bundles."""
    found = []
    home = str(bench.home)
    for words in (
        ("replay", "--home", home, "--account", ACCOUNT),
        ("evidence", "verify", str(bench.home / "evidence")),
    ):
        ended = subprocess.run(
            [sys.executable, "-m", "gridops_cli", *words], capture_output=True, text=True, check=False,
            env={**os.environ, **bench.environment}, cwd=bench.home.parent, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if ended.returncode:
            said = (ended.stdout + ended.stderr).strip()[-400:]
            found.append(f"{'I-32' if words[0] == 'replay' else 'I-31'}: `gridops {' '.join(words[:2])}`: {said}")
    return found
