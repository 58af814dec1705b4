"""The live loop: one queue, one consumer that numbers everything, and tasks that only send and enqueue.

What a turn does stands in `turns`; this adds waiting, tasks and threads. It decides nothing. Here and in the adapters
are the only places that know asyncio.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gridops.domain.effects import Finish
from gridops.domain.events import Event
from gridops.runtime.engine import Engine
from gridops.runtime.ports import Bundles, Clock, KillLatch, Lease, Reserve, Timings, Venue
from gridops.runtime.ports_journal import Journal, Token
from gridops.runtime.turns import Turns

MAX_SLEEP_S = 0.1
ANSWER_POLL_S = 0.01


class LiveLoop(Turns):
    """Runs one engine until it says Finish."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock,
        venue: Venue,
        journal: Journal,
        lease: Lease,
        latch: KillLatch,
        reserve: Reserve,
        bundles: Bundles,
        alarm: Callable[[str], None],
        timings: Timings,
    ) -> None:
        super().__init__(
            engine,
            clock=clock,
            venue=venue,
            journal=journal,
            lease=lease,
            latch=latch,
            reserve=reserve,
            bundles=bundles,
            alarm=alarm,
            timings=timings,
        )
        self._arrived = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        journal.on_commit(self._on_commit)

    def put(self, event: Event) -> None:
        """Queue one input, stamped now. For tasks of this loop; other threads use `put_threadsafe`."""
        super().put(event)
        self._arrived.set()

    def put_threadsafe(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self.put, event)

    async def run(self) -> Finish:
        """Consume until the engine finishes. Bugs end the loop with their traceback."""
        while self._finish is None:
            await self._wait()
            self.consume()
        await self._drain()
        return self._finish

    async def _wait(self) -> None:
        if self._queue:
            # Give tasks a turn, so that a flood of inputs cannot starve the sends.
            await asyncio.sleep(0)
            return
        self._arrived.clear()
        now_ms = self._clock.boot_ns() // 1_000_000
        left_s = max(0.0, (self.engine.wake_at_ms - now_ms) / 1_000) if self.engine.wake_at_ms else MAX_SLEEP_S
        try:
            await asyncio.wait_for(self._arrived.wait(), min(MAX_SLEEP_S, left_s))
        except TimeoutError:
            return

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # An adapter answers every effect itself; what escapes it is a bug and ends the run.
            self._loop.call_exception_handler({"message": "an effect raised", "exception": task.exception()})

    def _on_commit(self, token: Token) -> None:
        self._loop.call_soon_threadsafe(self._committed, token)

    async def _drain(self) -> None:
        """Let what was launched end, so that a disarmed dead-man, the last cancel or an answer is not cut off."""
        for sink in self.engine.sinks:
            sink.gauge(self.engine.state)
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=2.0)
        for task in set(self._tasks):
            task.cancel()
        while self._answers.waiting:
            await asyncio.sleep(ANSWER_POLL_S)
            self._answers.disk_silent()
