"""`gridops run` on a terminal: the engine as its own process in its own session, and the screen on it.

Whatever happens to the terminal, the engine goes on; only `--stop-on-exit` ends it with the screen. What the engine
prints is kept beside its log and shown after the screen is gone.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from gridops.errors import Refused
from gridops.usecases.place import Place

from gridops_cli import render

STOP_WITHIN_S = 90.0
STOP_OPTION = "--stop-on-exit"


def on_terminal() -> bool:
    """Is there somebody to look at a screen, on something that can show one?"""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def run(where: Place, words: Sequence[str], *, stop_on_exit: bool) -> None:
    """Start the engine with these words of the command line, show it, and say afterwards how it was left."""
    from gridops.tui.attach import watch

    with Child(where, words) as child:
        try:
            how = watch(where, ended=child.poll)
        except Exception:
            _screen_failed(child, stop_on_exit=stop_on_exit)
            raise
        if stop_on_exit and child.poll() is None:
            child.stop()
            how = "ended"
        if how == "ended" or child.poll() is not None:
            child.tell()
        else:
            _detached(where, child.pid)


class Child:
    """The engine's process; what it says goes to files of its account."""

    def __init__(self, where: Place, words: Sequence[str]) -> None:
        folder = where.home.ensure().log_dir
        self._out, self._err = folder / f"{where.account}.run.out", folder / f"{where.account}.run.err"
        with _fresh(self._out).open("wb") as out, _fresh(self._err).open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gridops_cli", *(w for w in words if w != STOP_OPTION), "--headless"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                # Its log lines are in the log file already.
                env={**os.environ, "GRIDOPS_OPERATIONS__LOG_STDERR": "false"},
            )

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        """A child that goes on is nobody's to wait for."""
        if self._process.poll() is None:
            self._process.returncode = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code once it has ended."""
        return self._process.poll()

    def stop(self) -> None:
        """An orderly stop. Refused when it does not end in time; it is left running then."""
        render.narrate(f"stopping the engine (pid {self.pid})")
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired as error:
            raise Refused(
                f"the engine (pid {self.pid}) does not end within {STOP_WITHIN_S:g} s", hint="see `gridops watch`"
            ) from error

    def tell(self) -> None:
        """What it said: the summary on stdout, the rest on stderr; its exit code is ours."""
        sys.stderr.write(self._err.read_text("utf-8", "replace"))
        sys.stderr.flush()
        typer.echo(self._out.read_text("utf-8", "replace"), nl=False)
        code = self._process.wait()
        if code:
            raise typer.Exit(code if code > 0 else 128 - code)


def _screen_failed(child: Child, *, stop_on_exit: bool) -> None:
    """A screen that crashed decides nothing about the engine: what was asked for at the start holds."""
    if child.poll() is not None:
        return
    if stop_on_exit:
        child.stop()
    else:
        render.narrate(f"the screen failed: the engine goes on (pid {child.pid}); `gridops watch` shows it again")


def _fresh(path: Path) -> Path:
    path.touch(mode=0o600)
    return path


def _detached(where: Place, pid: int) -> None:
    from gridops.usecases.command_evidence import newest_of_all

    render.narrate(f"detached: the engine goes on (pid {pid}, account {where.account}, home {where.home.root})")
    render.narrate(
        f"`gridops watch` shows it again; `kill -TERM {pid}` stops it in order; `gridops kill` is the switch"
    )
    render.evidence(newest_of_all(where.evidence_root))
