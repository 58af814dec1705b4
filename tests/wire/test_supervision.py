"""A service manager hears a real engine: ready when it answers, alive while it steps, silent when it hangs."""

import signal
import socket
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.wire.harness import Bench

pytestmark = [pytest.mark.wire, pytest.mark.timeout(120)]


def heard(listener: socket.socket, for_s: float) -> list[dict[str, str]]:
    """Every datagram of a span."""
    found, until_s = [], time.monotonic() + for_s
    while (left_s := until_s - time.monotonic()) > 0:
        listener.settimeout(left_s)
        try:
            lines = listener.recv(4_096).decode().splitlines()
        except TimeoutError:
            break
        found.append(dict(line.split("=", 1) for line in lines))
    return found


def test_the_watchdog_is_fed_only_by_an_engine_that_steps(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        with Bench(tmp_path, NOTIFY_SOCKET=str(address), WATCHDOG_USEC="1500000") as bench:
            engine = bench.start()
            words = Counter(name for each in heard(listener, 3) for name in each)
            assert words["READY"] == 1 and words["WATCHDOG"] >= 3
            engine.send(signal.SIGSTOP)
            heard(listener, 0.3)
            assert heard(listener, 2) == [], "a hung engine says nothing"
            engine.send(signal.SIGCONT)
            assert any("WATCHDOG" in each for each in heard(listener, 3))
            engine.send(signal.SIGHUP)
            time.sleep(0.5)
            assert engine.process.poll() is None, "a hang-up ends nothing"
            engine.stop()
            assert any("STOPPING" in each for each in heard(listener, 1))
