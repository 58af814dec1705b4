"""A restart shows its targets before it acts: refused, nothing was sent; agreed to, it does what it showed."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from gridops.errors import ExitCode
from tests.commands.kit import Ran
from tests.wire.harness import Bench

pytestmark = [pytest.mark.wire, pytest.mark.nightly, pytest.mark.timeout(150)]
RUN = [sys.executable, "-m", "gridops_cli", "run", "--headless", "--restart-proof"]
WRITES = ("POST", "PUT", "DELETE")


def proof(bench: Bench, *words: str, answer: str | None = None) -> Ran:
    """One start with the proof; `answer` is typed at a terminal, None is nobody there."""
    mine, theirs = pty.openpty() if answer is not None else (-1, subprocess.DEVNULL)
    process = subprocess.Popen(
        [*RUN, "--home", str(bench.home), *words], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=bench.environment, cwd=bench.home.parent, start_new_session=True,
    )  # fmt: skip
    if answer is not None:
        os.write(mine, answer.encode())
    try:
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
        for handle in (mine, theirs):
            if answer is not None:
                os.close(handle)
    return Ran(process.returncode, out, err)


def writes(bench: Bench, since: int) -> list[str]:
    """Orders and cancels the venue received."""
    found = [each for each in bench.requests(since) if each["method"] in WRITES]
    return [each["path"] for each in found if "/order" in each["path"] or "/batchOrders" in each["path"]]


def test_a_restart_shows_its_targets_and_waits(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        engine.wait(lambda: len(bench.resting()) > 6, 20.0, "a ladder")
        engine.kill()
        before = bench.last_request()
        for answer in (None, "n\n", "\n"):
            ran = proof(bench, answer=answer)
            assert ran.code == ExitCode.REFUSED and "nothing was sent" in ran.err, ran
            # The plan names every order of ours that rests, and what would become of it.
            assert "worst case" in ran.err and "keep" in ran.err
            assert writes(bench, before) == []
        assert (answer is None) or "[y/N]" in ran.err
        ran = proof(bench, "--duration", "6s", "--json", answer="y\n")
        assert ran.code == ExitCode.OK, ran.err
        assert "ACTIVE" in json.loads(ran.out)["states"]
        assert writes(bench, before)


def test_without_a_person_it_takes_a_word(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        ran = proof(bench, "--yes", "--duration", "5s")
        assert ran.code == ExitCode.OK and "dry run" in ran.err and "net of fees" in ran.out
        assert list((bench.home / "cache").glob("*.settings.json")), "the run noted no settings for triage"
