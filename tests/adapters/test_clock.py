"""The clock reads the machine: the kernel's uptime, the system's boot id, the wall."""

import time
from pathlib import Path

import pytest
from gridops.adapters import clock
from gridops.adapters.clock import Clock


def test_boot_clock_is_the_kernels_uptime() -> None:
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    assert abs(Clock().boot_ns() / 1e9 - uptime_s) < 5


def test_wall_clock_is_unix_time_in_ms() -> None:
    assert abs(Clock().wall_ms() / 1000 - time.time()) < 5


def test_boot_id_is_the_systems_and_absent_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Clock().boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    monkeypatch.setattr(clock, "_BOOT_ID", tmp_path / "absent")
    assert Clock().boot_id() == "unknown"
