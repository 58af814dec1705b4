"""Times of a terminal program from its start to its first paint, in a pseudo-terminal of 80 x 24."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence

BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("painted")

Bare().run()
"""
WITHIN_S = 60.0


def first_paint_s(command: Sequence[str], sign: bytes, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds, and processor seconds, until `sign` stands on the terminal; AssertionError with what stood instead."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    began = time.monotonic()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "TERM": "xterm-256color"}
    )
    os.close(theirs)
    seen = b""
    try:
        while sign not in seen and time.monotonic() - began < WITHIN_S:
            if select.select([ours], [], [], 0.5)[0]:
                seen += os.read(ours, 65_536)
        took = time.monotonic() - began
    finally:
        process.kill()
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = -9
        os.close(ours)
    assert sign in seen, seen[-2_000:]
    return took, used.ru_utime + used.ru_stime


def bare() -> list[str]:
    return [sys.executable, "-c", BARE]
