"""The watchdog is fed by a healthy engine alone; one that stands still says so and gets no more time."""

import asyncio
import socket
from pathlib import Path

import pytest
from gridops.adapters.http_status import Check
from gridops.adapters.service_notify import ServiceNotify
from gridops.usecases import run_watchers


async def said(tmp_path: Path, healthy: list[bool]) -> list[str]:
    """What the manager heard while the engine was well or not, one look each."""
    left = list(healthy)

    def look() -> Check:
        return Check(left.pop(0) if left else healthy[-1], "as told")

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "n"))
        listener.settimeout(1)
        manager = ServiceNotify({"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "30000"})
        task = asyncio.create_task(run_watchers.watchdog(manager, look))
        heard = [(await asyncio.to_thread(listener.recv, 999)).decode() for _ in healthy]
        task.cancel()
    return heard


@pytest.mark.parametrize("healthy", [[True, False, True], [False, False], [True, True]])
async def test_only_a_step_feeds_it(tmp_path: Path, healthy: list[bool]) -> None:
    heard = await said(tmp_path, healthy)
    assert ["WATCHDOG=1" in each for each in heard] == healthy
    assert all("STATUS=as told" in each for each in heard)


async def test_without_a_manager_it_ends(tmp_path: Path) -> None:
    await asyncio.wait_for(run_watchers.watchdog(ServiceNotify({}), lambda: Check(True, "x")), 1)
