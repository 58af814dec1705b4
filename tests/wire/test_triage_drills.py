"""The frequent broken situations on a live engine, again and again: how soon triage names the right first cause.

An operator's view: one `gridops triage --json` process after another, a second apart. Before the right answer it may
say ok or unknown, never another cause. The time counts from the hurt, less what the condition's own rule allows.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from gridops.domain.values import record
from tests.wire.harness import Bench
from tests.wire.triage_scenes import LIMITS, SITUATIONS, take_position

pytestmark = [pytest.mark.wire, pytest.mark.nightly, pytest.mark.timeout(3_000)]
ROUNDS = 9
WITHIN_S = 10.0
GIVEN_UP_S = 45.0
HEALED_S = 90.0
DRAWDOWN = "the drawdown limit was met"
LANES = {
    "first": tuple(name for name in SITUATIONS if name != DRAWDOWN)[:6],
    "second": tuple(name for name in SITUATIONS if name != DRAWDOWN)[6:],
    "drawdown": (DRAWDOWN,),
}


def look(bench: Bench) -> tuple[dict[str, Any], float]:
    """The page as the operator gets it now, and the seconds its process waited for a processor that others had."""
    ran = subprocess.Popen(
        [sys.executable, "-m", "gridops_cli", "triage", "--json", "--since", "1m", "--home", str(bench.home)],
        env=bench.environment, cwd=bench.home.parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.stdout is not None
    out = ran.stdout.read()
    os.waitid(os.P_PID, ran.pid, os.WEXITED | os.WNOWAIT)
    waited_s = int(Path(f"/proc/{ran.pid}/schedstat").read_text().split()[1]) / 1e9
    ran.communicate(timeout=60)
    assert ran.returncode in (0, 1)
    page: dict[str, Any] = json.loads(out)
    return page, waited_s


def healthy(bench: Bench) -> None:
    """Until it quotes and triage finds nothing."""
    began_s = time.monotonic()
    page: dict[str, Any] = {}
    while time.monotonic() - began_s < HEALED_S:
        page, _ = look(bench)
        if page["verdict"] == "ok" and page["fsm"]["state"] in ("ACTIVE", "THROTTLED"):
            return
        time.sleep(0.5)
    raise AssertionError(f"not healed within {HEALED_S} s: {page['first']}")


@record
class Round:
    """Seconds from the hurt to the right first finding on screen; `waited_s` of them the machine gave to others."""

    name: str
    took_s: float
    waited_s: float
    looks: int
    wrong: tuple[str, ...]

    @property
    def over_s(self) -> float:
        return self.took_s - self.waited_s - SITUATIONS[self.name].bound_s

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.took_s:.1f} s, {self.waited_s:.1f} waited, {self.looks} looks, "
            f"{self.over_s:.1f} s over the bound {', '.join(self.wrong)}"
        )


def named(bench: Bench, name: str) -> Round:
    """Hurt, and look each second until the right cause is named."""
    scene, waited_s, looks = SITUATIONS[name], 0.0, 0
    wrong: list[str] = []
    began_s = time.monotonic()
    scene.hurt(bench)
    while (took_s := time.monotonic() - began_s) - waited_s < GIVEN_UP_S:
        page, more_s = look(bench)
        waited_s, looks, first = waited_s + more_s, looks + 1, page["first"]
        if page["verdict"] == "finding":
            took_s = time.monotonic() - began_s
            if first["question"] == scene.question and first["reason"] == scene.reason:
                return Round(name=name, took_s=took_s, waited_s=waited_s, looks=looks, wrong=tuple(wrong))
            wrong.append(f"{took_s:.1f} s: {first['question']}/{first['reason']} {first['detail']}")
        time.sleep(1.0)
    raise AssertionError(f"{name} never named: {wrong}, at the end {page['verdict']} {first}")


@pytest.mark.parametrize("lane", LANES)
def test_the_right_first_cause_is_on_screen_within_ten_seconds(tmp_path: Path, lane: str) -> None:
    rounds: list[Round] = []
    with Bench(tmp_path, **(LIMITS if lane == "drawdown" else {})) as bench:
        bench.start()
        # After a drawdown the day's own limit keeps the account paused: once is all that one account can show.
        for name in LANES[lane] * (1 if lane == "drawdown" else ROUNDS):
            if lane == "drawdown":
                take_position(bench)
            healthy(bench)
            rounds.append(named(bench, name))
            print(rounds[-1], flush=True)
            SITUATIONS[name].heal(bench)
    over = sorted(each.over_s for each in rounds)
    print(
        f"lane {lane}: {len(over)} rounds, median {over[len(over) // 2]:.1f} s, worst {over[-1]:.1f} s over the bound"
    )
    assert [str(each) for each in rounds if each.wrong] == []
    assert over[-1] <= WITHIN_S
