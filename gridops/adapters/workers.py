"""Threads for what may block the event loop: names that are looked up, disks that are asked."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from gridops.adapters.allocator import fill_thread_cache

WORKERS = 6
"""More than can wait at once: for the names of three hosts, for the disk, for what the progress display reads."""
_START_S = 2.0


def start() -> None:
    """Give the running loop all its workers now. One by one, as calls overlap, they make a process grow for hours."""
    pool = ThreadPoolExecutor(WORKERS, "worker", initializer=fill_thread_cache)
    asyncio.get_running_loop().set_default_executor(pool)
    # Each waits for the others, so that none takes the place of one still to come; a system without threads to give
    # ends that wait, and the start fails by its own error instead of standing still.
    all_there = threading.Barrier(WORKERS, timeout=_START_S)
    for _ in range(WORKERS):
        pool.submit(all_there.wait)
