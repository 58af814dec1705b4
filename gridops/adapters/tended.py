"""Tasks that must not end: each is started again when it does, and who needs it is told at once.

Around the streams and what a live run watches. A task that has died looks like a quiet market or an empty account, so
its end is an edge of its own, and the next start waits a second: it neither repeats what was lost nor counts anything.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

AGAIN_S = 1.0

Work = Callable[[], Coroutine[Any, Any, None]]


class Tended:
    """Keeps one work going from its making until `leave`. `lost(reason)` is called once for each end.

    A work that is not `endless` has done its part when it returns; only what cuts it short begins it again.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        lost: Callable[[str], None] = lambda _: None,
        *,
        endless: bool = True,
        again_s: float = AGAIN_S,
    ) -> None:
        self._name, self._work, self._lost, self._again_s = name, work, lost, again_s
        self._endless = endless
        self._loop = asyncio.get_running_loop()
        self._leaving = False
        self._timer: asyncio.TimerHandle | None = None
        self._start()

    async def leave(self) -> None:
        """End the work for good and wait for it."""
        self._leaving = True
        if self._timer is not None:
            self._timer.cancel()
        self._task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._task

    def _start(self) -> None:
        self._task = self._loop.create_task(self._work(), name=self._name)
        self._task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if self._leaving or not (self._endless or task.cancelled() or task.exception()):
            return
        self._timer = self._loop.call_later(self._again_s, self._start)
        error = None if task.cancelled() else task.exception()
        how = f"internal error {type(error).__name__}" if error is not None else "its task ended"
        context = {"message": f"{self._name}: {how}", **({"exception": error} if error is not None else {})}
        self._loop.call_exception_handler(context)
        self._lost(f"{self._name}: {how}")
