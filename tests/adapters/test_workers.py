"""The threads for what may block: all there at once, and no start that hangs where the system has none to give."""

import asyncio
import subprocess
import sys
import threading

from gridops.adapters import workers


def test_all_workers_are_there_before_the_first_call() -> None:
    async def names() -> tuple[set[str], set[str]]:
        workers.start()
        before = {each.name for each in threading.enumerate() if each.name.startswith("worker")}
        gate = threading.Barrier(workers.WORKERS, timeout=20)

        def named() -> str:
            gate.wait()
            return threading.current_thread().name

        return before, set(await asyncio.gather(*(asyncio.to_thread(named) for _ in range(workers.WORKERS))))

    before, used = asyncio.run(names())
    assert len(before) == workers.WORKERS
    assert used == before


SHORT_OF_THREADS = """
import asyncio, threading
from gridops.adapters import workers

start, left = threading.Thread.start, iter(range(workers.WORKERS - 1))

def refusing(thread):
    if next(left, None) is None:
        raise RuntimeError("can't start new thread")
    start(thread)

threading.Thread.start = refusing

async def main():
    workers.start()

asyncio.run(main())
"""


def test_a_system_without_threads_to_give_ends_the_start() -> None:
    child = [sys.executable, "-c", SHORT_OF_THREADS]
    said = subprocess.run(child, timeout=30, capture_output=True, text=True)
    assert said.returncode == 1 and said.stderr.rstrip().endswith("RuntimeError: can't start new thread")
