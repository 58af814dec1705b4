"""The service manager hears what sd_notify(3) promises it, over a real socket, and never holds anybody up."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from gridops.adapters.service_notify import ServiceNotify


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(2)
        yield listener


def heard(manager: socket.socket) -> dict[str, str]:
    lines = manager.recv(4_096).decode().split("\n")
    return dict(line.split("=", 1) for line in lines)


def test_words_as_the_manual_has_them(manager: socket.socket, tmp_path: Path) -> None:
    told = ServiceNotify({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"})
    assert told.every_s == 10
    told.ready("READY since 0 s")
    assert heard(manager) == {"READY": "1", "STATUS": "READY since 0 s", "MAINPID": str(os.getpid())}
    told.alive("ACTIVE")
    assert heard(manager) == {"WATCHDOG": "1", "STATUS": "ACTIVE"}
    told.unwell("hung")
    assert heard(manager) == {"STATUS": "hung"}
    told.stopping("signal")
    assert heard(manager) == {"STOPPING": "1", "STATUS": "signal"}


def test_a_status_cannot_say_another_word(manager: socket.socket, tmp_path: Path) -> None:
    ServiceNotify({"NOTIFY_SOCKET": str(tmp_path / "notify")}).unwell("bad\nWATCHDOG=1\nREADY=1\x1b")
    assert list(heard(manager)) == ["STATUS"]


def test_the_abstract_namespace() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0gridops-test-{os.getpid()}")
        listener.settimeout(2)
        ServiceNotify({"NOTIFY_SOCKET": f"@gridops-test-{os.getpid()}"}).alive("x")
        assert heard(listener)["WATCHDOG"] == "1"


def test_a_manager_that_does_not_read_holds_nobody_up(manager: socket.socket, tmp_path: Path) -> None:
    told = ServiceNotify({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    for _ in range(5_000):
        told.alive("x" * 200)
    assert heard(manager)["WATCHDOG"] == "1"


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "/nowhere/at/all"},
     {"NOTIFY_SOCKET": "/" + "x" * 300, "WATCHDOG_USEC": "9" * 99}],
)  # fmt: skip
def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    told = ServiceNotify(environment)
    told.ready("x")
    told.alive("x")
    assert told.every_s is None


@pytest.mark.parametrize("usec", ["", "0", "-5", "soon", "١٢"])
def test_a_watchdog_is_only_what_the_manager_asked_for(usec: str) -> None:
    assert ServiceNotify({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": usec}).every_s is None


def test_a_watchdog_of_another_process_is_not_ours() -> None:
    asked = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    assert ServiceNotify(asked, pid=7).every_s is None and ServiceNotify(asked, pid=1).every_s == 1
