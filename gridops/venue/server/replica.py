"""A read copy of the venue that lags behind, for answers that were true some time ago.

Sits beside the gateway. It copies the core as seldom as the wanted lag allows, and only while a fault asks for it.
"""

from collections import deque
from typing import Any

from gridops.venue.server.floor import Core

_COPIES_PER_LAG = 4


class Replicas:
    """Copies of one core, oldest first."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._taken: deque[tuple[int, bytes]] = deque(maxlen=64)

    def watch(self, now_ms: int, lag_ms: int) -> None:
        """Take a copy when the newest one has become too old to hit the lag closely."""
        if not self._taken or now_ms - self._taken[-1][0] >= max(lag_ms // _COPIES_PER_LAG, 1):
            self._taken.append((now_ms, self._core.dump()))

    def as_of(self, at_ms: int) -> Any:
        """The core as it was then, or as early as is known; a copy of its own, whose changes concern nobody."""
        if not self._taken:
            self.watch(at_ms, 0)
        usable = [data for taken_ms, data in self._taken if taken_ms <= at_ms]
        data = usable[-1] if usable else self._taken[0][1]
        load = getattr(type(self._core), "load")  # noqa: B009 - the port has no constructor in it
        return load(data)

    def forget(self) -> None:
        """Nobody asks for the past any more."""
        self._taken.clear()
