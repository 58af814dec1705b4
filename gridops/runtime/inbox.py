"""Where a venue puts inputs before the engine's loop is there to take them.

Between the adapter, which may speak as soon as it is made, and the loop, whose first input is the boot. It keeps and
passes on; it looks at nothing.
"""

from gridops.domain.events import Event
from gridops.runtime.live_loop import LiveLoop


class Inbox:
    """Where the venue puts inputs: kept until the boot is queued, so that the boot is the first."""

    def __init__(self) -> None:
        self._early: list[Event] = []
        self._loop: LiveLoop | None = None

    def put(self, event: Event) -> None:
        if self._loop is None:
            self._early.append(event)
        else:
            self._loop.put(event)

    def connect(self, loop: LiveLoop) -> None:
        self._loop = loop
        for event in self._early:
            loop.put(event)
        self._early.clear()
