"""On a real terminal: a run is attached, driven by keys, left while it trades, looked at again, and stopped."""

import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gridops.adapters.control_client import ask
from gridops.adapters.home import Home
from gridops.adapters.journal_reader import JournalReader
from tests.tui.first_paint import bare, first_paint_s

pytestmark = [pytest.mark.wire, pytest.mark.timeout(300)]
FIRST_PAINT_RATIO = 1.5
WITHIN_S = 60.0
STALL_S = 6


class Pane:
    """One tmux pane of 100 x 30 with a shell in it, on a server of its own."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux.sock"), "-f", "/dev/null"]
        quiet = {**os.environ, "PS1": "$ ", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        for name in ("COLUMNS", "LINES", "TMUX"):
            quiet.pop(name, None)
        self._run("new-session", "-d", "-x", "100", "-y", "30", "bash --norc", environment=quiet, cwd=folder)

    def _run(self, *words: str, environment: dict[str, str] | None = None, cwd: Path | None = None) -> str:
        done = subprocess.run(
            [*self._tmux, *words], capture_output=True, text=True, timeout=30, check=True, env=environment, cwd=cwd
        )
        return done.stdout

    def keys(self, *keys: str) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # the pane may have ended by itself
            self._run("send-keys", *keys)

    def shown(self) -> str:
        return self._run("capture-pane", "-p", "-J")

    def until(self, word: str) -> str:
        """The screen once it holds `word`."""
        began = time.monotonic()
        while time.monotonic() - began < WITHIN_S:
            text = self.shown()
            if word in text:
                return text
            time.sleep(0.3)
        raise AssertionError(f"{word!r} does not come:\n{text}")

    def until_gone(self, word: str) -> None:
        """Wait until nothing on the screen says `word`."""
        began = time.monotonic()
        while word in self.shown():
            assert time.monotonic() - began < WITHIN_S, f"{word!r} stays"
            time.sleep(0.3)

    def process(self) -> int:
        """Process id of the pane's own process: the shell, or what it was replaced by."""
        return int(self._run("display-message", "-p", "#{pane_pid}"))

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=30, check=False)


@pytest.fixture
def pane(tmp_path: Path) -> Iterator[Pane]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    pane = Pane(tmp_path)
    yield pane
    pane.close()


def test_a_run_is_attached_driven_left_and_stopped(pane: Pane, tmp_path: Path) -> None:
    pane.keys("gridops run --market synthetic:7 --home h", "Enter")
    pane.until("ACTIVE")
    for page, word in (
        ("2", "router decisions"),
        ("3", "if price runs"),
        ("4", "feeds, budgets"),
        ("1", "open levels"),
    ):
        pane.keys(page)
        pane.until(word)
    pane.keys("p")
    pane.until("PAUSE · account paper")
    pane.keys("lunch", "Enter")
    pane.until("pause accepted")
    pane.until("operator_pause")
    pane.keys("?")
    pane.until("it decides nothing")
    pane.keys("Escape")
    pane.until_gone("it decides nothing")
    pane.keys("q")
    left = pane.until("detached: the engine goes on")
    assert "EVIDENCE_REF v=1" in pane.until("EVIDENCE_REF")
    pid = int(left.partition("(pid ")[2].partition(",")[0])
    assert Path(f"/proc/{pid}").exists() and os.getsid(pid) == pid

    pane.keys("clear; gridops watch --home h", "Enter")
    pane.until("PAUSED")
    pane.keys("r")
    pane.until("RESUME · account paper")
    pane.keys("back", "Enter")
    pane.until("resume accepted")
    os.kill(pid, 9)
    pane.until("DEAD (without an orderly end)")
    pane.keys("q")
    pane.until("left the screen: engine dead")


def test_a_screen_that_stands_still_leaves_trading_alone(pane: Pane, tmp_path: Path) -> None:
    def newest() -> int:
        reply = ask(Home(tmp_path / "h").control_socket("paper"), {"command": "status", "author": "test"}, 5.0)
        assert reply["snapshot"]["state"] == "ACTIVE"
        return int(reply["snapshot"]["seq"])

    # Without a shell above it: nobody takes the terminal away from a job that stands still.
    pane.keys("exec gridops run --market synthetic:7 --home h --stop-on-exit", "Enter")
    pane.until("ACTIVE")
    screen = pane.process()
    os.kill(screen, signal.SIGSTOP)
    try:
        before = newest()
        time.sleep(STALL_S)
        assert newest() > before + 10 * STALL_S
    finally:
        os.kill(screen, signal.SIGCONT)
    began = time.monotonic()
    while Path(f"/proc/{screen}").exists():
        assert time.monotonic() - began < WITHIN_S, "the screen does not end"
        # The terminal is set up anew after a stop, and what was typed meanwhile is dropped.
        pane.keys("q")
        time.sleep(2)
    with JournalReader(Home(tmp_path / "h").journal("paper")) as reader:
        assert reader.runs()[-1].outcome == "stopped"


def test_stop_on_exit_stops_and_prints_the_summary(pane: Pane) -> None:
    pane.keys("gridops run --market synthetic:7 --home h --stop-on-exit", "Enter")
    pane.until("live pid")
    pane.keys("q")
    pane.until("stopping the engine")
    text = pane.until("mode=run status=ok")
    assert "fills" in text


def test_an_engine_that_cannot_start_says_why_and_ends_as_itself(pane: Pane) -> None:
    pane.keys("gridops run --home h --market nonsense; echo CODE=$?", "Enter")
    assert "error: the venue did not start" in pane.until("CODE=3")


def test_the_first_paint_costs_little_more_than_a_bare_screen(tmp_path: Path) -> None:
    watch = [sys.executable, "-m", "gridops_cli", "watch", "--home", str(tmp_path / "h")]
    environment = {name: held for name, held in os.environ.items() if name not in ("COLUMNS", "LINES")}
    bares, screens = [], []
    for _ in range(3):
        bares.append(first_paint_s(bare(), b"painted", environment)[1])
        screens.append(first_paint_s(watch, b"open levels", environment)[1])
    ratio = statistics.median(screens) / statistics.median(bares)
    print(f"first paint, processor seconds: bare {bares}, watch {screens}, ratio {ratio:.2f}")
    assert ratio <= FIRST_PAINT_RATIO


def test_watch_without_a_terminal_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gridops_cli", "watch", "--home", str(tmp_path / "h")],
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2 and "watch needs a terminal" in done.stderr
    assert "EVIDENCE_REF" in done.stdout
