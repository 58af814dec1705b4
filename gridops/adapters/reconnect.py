"""The loop that keeps one stream connected: session after session, with a growing pause, telling each edge once.

Plumbing of the streams, the only place in the adapters that sleeps and tries again. It decides nothing about trading:
the engine hears up and down and does the rest.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 200, 10_000
_SETTLED_S = 10.0


class Ended(NamedTuple):
    """Why a session ended; `wait_ms` is the least pause the venue asked for."""

    reason: str
    wait_ms: int = 0


Session = Callable[[Callable[[], None]], Awaitable[Ended]]
"""One connection from dial to death. It calls its argument when the stream is up."""


Pause = Callable[[float], Awaitable[None]]


async def keep_connected(session: Session, tell: Callable[[bool, str], None], *, pause: Pause = asyncio.sleep) -> None:
    """Run sessions for ever; `tell(up, reason)` is called at each change, and once when the first attempt fails."""
    pause_ms, told = FIRST_PAUSE_MS, None
    loop = asyncio.get_running_loop()

    def up() -> None:
        nonlocal told
        told = True
        tell(True, "")

    while True:
        began_s = loop.time()
        ended = await _guarded(session, up)
        if told is not False:
            told = False
            tell(False, ended.reason)
        if loop.time() - began_s > _SETTLED_S:
            pause_ms = FIRST_PAUSE_MS
        await pause(max(pause_ms, ended.wait_ms) / 1_000)
        pause_ms = min(pause_ms * 2, LONGEST_PAUSE_MS)


async def first_of(*works: Coroutine[Any, Any, str]) -> str:
    """The result of whichever ends first; the others are cancelled and awaited."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _guarded(session: Session, up: Callable[[], None]) -> Ended:
    try:
        return await session(up)
    except asyncio.CancelledError:
        if _leaving():
            raise
        # Something inside was cancelled, a future of the library or a part of the session: nobody asked us to end.
        return Ended("cut off inside")
    except Exception as error:
        # A stream whose task has died looks like a quiet market; report the bug and connect again.
        asyncio.get_running_loop().call_exception_handler({"message": "a stream session failed", "exception": error})
        return Ended(f"internal error {type(error).__name__}")


def _leaving() -> bool:
    """Whether this task itself was told to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
