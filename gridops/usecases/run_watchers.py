"""What a live run watches beside its streams: the end of a recording, the disk, its duration, memory and progress.

Coroutines that the composition root starts and cancels. What concerns the engine is told it by an input, on edges only.
"""

import asyncio
import contextlib
import gc
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from gridops.adapters import allocator
from gridops.adapters.http_status import Check
from gridops.adapters.service_notify import ServiceNotify
from gridops.domain.events import Event, MarketEnded, SinkReport, StopSignal
from gridops.errors import VenueUnavailable
from gridops.runtime.state import EngineState
from gridops.usecases.run import OnProgress, progress
from gridops.venue.handle import VenueHandle

MARKET_POLL_S = 0.5
DISK_POLL_S = 2.0
DISK_SPARE = 64_000_000
PROGRESS_S = 1.0
COLLECT_S = 1.0
URL_CACHES = ("encode_url", "pre_encoded_url", "build_pre_encoded_url", "from_parts")
Put = Callable[[Event], None]


async def market(handle: VenueHandle, put: Put) -> None:
    """The end of a recording is an input like any other."""
    while True:
        await asyncio.sleep(MARKET_POLL_S)
        with contextlib.suppress(VenueUnavailable):
            summary = await asyncio.to_thread(handle.summary)
            if summary.get("market_ended"):
                put(MarketEnded(detail=handle.market[:200]))
                return


async def disk(folder: Path, limit: int, put: Put) -> None:
    """Less than `limit` bytes free where the home lies is told before the journal fails for it; told on edges only."""
    enough = True
    while True:
        free = await asyncio.to_thread(_free_bytes, folder)
        # Back only with something to spare, so that a log file's growth does not flap.
        now_enough = free >= (limit if enough else limit + min(limit // 10, DISK_SPARE))
        if now_enough is not enough:
            enough = now_enough
            detail = f"{free // 1_000_000} MB free, limit {limit // 1_000_000}"
            put(SinkReport(sink="disk", ok=enough, detail=detail))
        await asyncio.sleep(DISK_POLL_S)


async def duration(seconds: float, put: Put) -> None:
    """The stop of a run that was given an end."""
    await asyncio.sleep(seconds)
    put(StopSignal(name="duration"))


async def watchdog(manager: ServiceNotify, healthy: Callable[[], Check]) -> None:
    """Feed the service manager's watchdog, as long as the engine steps: silence is what makes it restart us."""
    every_s = manager.every_s
    while every_s is not None:
        found = healthy()
        (manager.alive if found.ok else manager.unwell)(found.detail)
        await asyncio.sleep(every_s)


async def memory(every_s: float = COLLECT_S) -> None:
    """Give back what only a full collection frees; it walks a few thousand objects, for what was loaded is frozen.

    A closed connection is a ring of objects, and a failed request one with its frames. Their number never comes near
    the thresholds that a run sets, so that the collector by itself would let them grow for days. It also empties the
    interpreter's lists of free tuples: in CPython 3.11 one of 20 items goes onto its list and is never taken from it.
    Each second, since what waits for a collection is what the process grows to: 75 failed requests in a few seconds
    left half a megabyte. One round takes about a fifth of a millisecond.
    """
    while True:
        await asyncio.sleep(every_s)
        gc.collect()
        _forget_lookups()
        _forget_urls()
        allocator.give_back()


def _forget_lookups() -> None:
    """Empty the interpreter's cache of attribute lookups.

    It holds each name until another takes its place, and ccxt makes a new one for each request
    (`getattr(session, method.lower())`): 4,096 of them in the end, each in a page that others have left.
    """
    if sys.version_info >= (3, 13):
        sys._clear_internal_caches()
    else:
        sys._clear_type_cache()


def _forget_urls() -> None:
    """Empty the caches of yarl: the newest 128 of each kind, though every signed request is a URL of its own.

    A quiet minute fills them with short ones and a busy one with batches of orders, ten times as long.
    """
    for name in URL_CACHES:
        clear = getattr(getattr(sys.modules.get("yarl._url"), name, None), "cache_clear", None)
        if clear is not None:
            clear()


async def show(state: Callable[[], EngineState], on_progress: OnProgress) -> None:
    """One progress line a second, once there is something to say."""
    while True:
        await asyncio.sleep(PROGRESS_S)
        seen = progress(state())
        if seen is not None:
            on_progress(seen)


def _free_bytes(folder: Path) -> int:
    """Space left; a folder that cannot be looked at has none."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
