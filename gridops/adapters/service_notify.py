"""Tells the service manager what it waits for: that we are ready, alive, and stopping. One datagram a word.

The protocol of systemd's `sd_notify(3)`: `NAME=value` lines to the socket that NOTIFY_SOCKET names. Without a manager
every word is a no-op; a manager that does not listen costs nothing, since no word ever blocks or raises.
"""

import contextlib
import os
import socket
from collections.abc import Mapping


class ServiceNotify:
    """The channel to the manager of one process."""

    def __init__(self, environment: Mapping[str, str], *, pid: int | None = None) -> None:
        named = environment.get("NOTIFY_SOCKET", "")
        # `@` stands for the abstract namespace, written with a leading zero byte.
        self._address = f"\0{named[1:]}" if named.startswith("@") else named if named.startswith("/") else ""
        wanted = environment.get("WATCHDOG_PID", "")
        ours = not wanted or wanted == str(os.getpid() if pid is None else pid)
        text = environment.get("WATCHDOG_USEC", "")
        self._watchdog_us = int(text) if ours and text.isascii() and text.isdecimal() and len(text) < 16 else 0

    @property
    def wanted(self) -> bool:
        """Does anybody listen?"""
        return bool(self._address)

    @property
    def every_s(self) -> float | None:
        """How often to say that we are alive: a third of the manager's patience; None when it does not ask."""
        return self._watchdog_us / 3e6 if self._address and self._watchdog_us else None

    def ready(self, status: str) -> None:
        """The control socket is open, and the engine takes inputs."""
        self._say(f"READY=1\nSTATUS={_line(status)}\nMAINPID={os.getpid()}")

    def alive(self, status: str) -> None:
        """Only to be said while the engine steps: silence makes the manager restart us."""
        self._say(f"WATCHDOG=1\nSTATUS={_line(status)}")

    def unwell(self, status: str) -> None:
        """Says what is wrong without asking for more time."""
        self._say(f"STATUS={_line(status)}")

    def stopping(self, status: str) -> None:
        self._say(f"STOPPING=1\nSTATUS={_line(status)}")

    def _say(self, words: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError, ValueError):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as line:
                line.sendto(words.encode("utf-8", "replace"), self._address)


def _line(text: str) -> str:
    """One printable line: a line end would begin another word."""
    return "".join(each if each.isprintable() else " " for each in text)[:200]
