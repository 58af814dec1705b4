"""Run the test suites, each within its own time, and say what ran: the one runner of `./dev test` and of CI.

Standard library only, besides pytest in a process of its own per suite. When a suite's time is over its remaining
tests are skipped, each with that reason, and counted; one that overruns by its grace as well is killed and fails. An
empty suite is said and passes. The last line is `N passed, N failed, N skipped` over all suites. It decides no test.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
DEADLINE = "SUITE_DEADLINE"
"""Environment variable that tells the tests when their suite's time is over, in unix seconds."""
FULL = "SUITE_FULL"
"""Environment variable that asks the properties for their full counts."""
DRAWN = "fresh seeds"
"""Property of a test's report that names the seeds it drew."""
NO_TESTS = 5
"""pytest's exit code for an empty selection."""
NIGHTLY_FACTOR = 20
"""Full counts may take this many times a suite's budget."""


@dataclass(frozen=True)
class Suite:
    """A part of the tests by marker, with its budget in seconds and pytest's own options."""

    name: str
    marker: str
    budget_s: int
    options: tuple[str, ...] = ()
    grace_s: int = 90
    """For the test that runs when the time is over."""


SUITES = (
    Suite("unit", "not wire and not simulation and not docs and not packaging", 180, ("-n", "2")),
    # Mostly waiting: more processes than cores. A file shares its venue, so it stays in one process.
    Suite("wire", "wire", 180, ("-n", "4", "--dist", "loadfile")),
    Suite("simulation", "simulation", 300, ("-n", "2")),
    Suite("docs", "docs", 90),
    Suite("packaging", "packaging", 150),
)


@dataclass
class Outcome:
    """What one suite did. `failed` counts failures and errors; a killed or broken suite counts as one."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""
    drawn: list[str] = field(default_factory=list)
    """`WHAT FIRST COUNT` of each range of seeds that the tests drew anew."""


def main(arguments: list[str], *, root: Path = ROOT, suites: tuple[Suite, ...] = SUITES) -> int:
    """Exit code 0 when no suite failed."""
    options = _parse(arguments, [suite.name for suite in suites])
    total, skips = Outcome(), Counter[str]()
    for suite in suites:
        if options.suite and suite.name not in options.suite:
            continue
        started = time.monotonic()
        outcome = _run(suite, root, nightly=options.nightly, skips=skips)
        _say(suite, outcome, time.monotonic() - started)
        total.passed += outcome.passed
        total.failed += outcome.failed
        total.skipped += outcome.skipped
    for reason, times in sorted(skips.items()):
        print(f"skipped {times}: {reason}")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed else 0


def _parse(arguments: list[str], names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev test", description="Run the test suites, each within its own time.")
    parser.add_argument("suite", nargs="*", help=f"any of {', '.join(names)}; default all")
    parser.add_argument("--nightly", action="store_true", help="full counts, the nightly tests included")
    options = parser.parse_args(arguments)
    unknown = set(options.suite) - set(names)
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}")
    return options


def _run(suite: Suite, root: Path, *, nightly: bool, skips: Counter[str]) -> Outcome:
    marker = f"({suite.marker})" if nightly else f"({suite.marker}) and not nightly"
    budget_s = suite.budget_s * (NIGHTLY_FACTOR if nightly else 1)
    with tempfile.TemporaryDirectory(prefix="gridops-suite-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", marker, f"--junitxml={report}", *suite.options]
        if nightly:
            command.append("--timeout=3600")
        print(f"suite {suite.name}: pytest -m '{marker}', at most {budget_s} s", flush=True)
        code = _within(command, root, budget_s, suite.grace_s, nightly=nightly)
        outcome = _counted(report, skips)
    if code is None:
        outcome.failed += 1
        outcome.note = f"killed after {budget_s + suite.grace_s} s"
    elif code == NO_TESTS:
        outcome.note = "no tests"
    elif code != 0 and not outcome.failed:
        outcome.failed = 1
        outcome.note = f"pytest ended with exit code {code}"
    return outcome


def _within(command: list[str], root: Path, budget_s: int, grace_s: int, *, nightly: bool) -> int | None:
    """Exit code, or None when the time was over and the whole process group was killed."""
    environment = {**os.environ, DEADLINE: str(time.time() + budget_s), FULL: "1" if nightly else "0"}
    process = subprocess.Popen(command, cwd=root, stdin=subprocess.DEVNULL, start_new_session=True, env=environment)
    try:
        return process.wait(budget_s + grace_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        # What a killed test left behind is in the group too.
        _kill_group(process.pid)
        process.wait()


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _counted(report: Path, skips: Counter[str]) -> Outcome:
    """Counts of pytest's own report; nothing when it was not written."""
    outcome = Outcome()
    if not report.exists():
        return outcome
    # Written by our own pytest a moment ago.
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314
        skipped = case.find("skipped")
        if skipped is not None:
            outcome.skipped += 1
            skips[re.sub(r"\s+", " ", skipped.get("message") or "no reason given")] += 1
        elif case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
        else:
            outcome.passed += 1
        outcome.drawn += [said.get("value", "") for said in case.iter("property") if said.get("name") == DRAWN]
    return outcome


def _say(suite: Suite, outcome: Outcome, seconds: float) -> None:
    counts = f"{outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped"
    note = f" ({outcome.note})" if outcome.note else ""
    if outcome.drawn:
        ranges = [said.rsplit(" ", 2) for said in outcome.drawn]
        seeds = sum(int(count) for _, _, count in ranges)
        told = ", ".join(f"{what} {first}" + (f"+{count}" if count != "1" else "") for what, first, count in ranges)
        print(f"fresh seeds: {seeds}, {seeds * 60 / seconds:.0f} a minute: {told}")
    print(f"suite {suite.name}: {counts} in {seconds:.0f} s{note}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
