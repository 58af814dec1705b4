"""A service manager hears a real engine: ready when it answers, alive while it steps, silent when it hangs."""

import os
import signal
import socket
import stat
import time
from collections import Counter
from pathlib import Path

import pytest
from gridops.adapters.home import Home
from tests.wire.harness import ACCOUNT, Bench

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


def listening(pid: int) -> list[str]:
    """Local addresses on which a process waits for TCP connections; the kernel writes them as little-endian hex."""
    targets = [_target(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {each[8:-1] for each in targets if each.startswith("socket:")}
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                found.append(words[1].partition(":")[0])
    return found


def _target(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def test_nothing_listens_where_another_host_could_connect(tmp_path: Path) -> None:
    """Engine and emulator, by the kernel's own table; and the control socket is closed to other users."""
    with Bench(tmp_path) as bench:
        engine = bench.start()
        venue = int(bench.venue.rest.rpartition(":")[2])
        assert listening(engine.pid) == ["0100007F"], "the three status pages, on 127.0.0.1 alone"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        served = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{venue:04X}")]
        assert served == [f"0100007F:{venue:04X}"]
        about = Home(bench.home).control_socket(ACCOUNT).lstat()
        assert stat.S_ISSOCK(about.st_mode) and not about.st_mode & 0o077
        assert not bench.home.stat().st_mode & 0o077
        engine.stop()
