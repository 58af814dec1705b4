"""The slower depth streams: the core's immediate diffs merged into windows, each stream with its own U/u/pu chain.

Sits between the core's events and the hub. It refuses to send an empty window: like the venue, a stream is silent
while nothing changed.
"""

from typing import Any

SPEEDS_MS = (100, 250, 500)


def partial_levels(stream: str) -> int:
    """Levels of a partial depth stream such as `btcusdt@depth5@100ms`; 0 for the diff streams."""
    count = stream.partition("@depth")[2].partition("@")[0]
    return int(count) if count else 0


class DepthWindow:
    """One symbol at one speed."""

    def __init__(self, speed_ms: int) -> None:
        self.speed_ms = speed_ms
        self._last_sent_u: int | None = None
        self._first: dict[str, Any] | None = None
        self._last: dict[str, Any] = {}
        self._bids: dict[str, str] = {}
        self._asks: dict[str, str] = {}
        self._due_ms = 0

    def add(self, diff: dict[str, Any], now_ms: int) -> None:
        """Merge one immediate diff; the window closes at the next multiple of the speed."""
        if self._first is None:
            self._first = diff
            self._due_ms = (now_ms // self.speed_ms + 1) * self.speed_ms
        self._last = diff
        self._bids.update(diff["b"])
        self._asks.update(diff["a"])

    def due_ms(self) -> int | None:
        """When the open window closes; None while nothing has changed."""
        return None if self._first is None else self._due_ms

    def take(self, now_ms: int) -> dict[str, Any] | None:
        """The merged event when its window is over; `pu` is the `u` last sent on this stream."""
        if self._first is None or now_ms < self._due_ms:
            return None
        previous = self._first["pu"] if self._last_sent_u is None else self._last_sent_u
        merged = {
            **self._last, "U": self._first["U"], "pu": previous,
            "b": list(self._bids.items()), "a": list(self._asks.items()),
        }  # fmt: skip
        self._last_sent_u = self._last["u"]
        self._first, self._bids, self._asks = None, {}, {}
        return merged


class DepthWindows:
    """All windows somebody listens to."""

    def __init__(self) -> None:
        self._open: dict[str, dict[str, DepthWindow]] = {}

    def watch(self, stream: str) -> None:
        """Start `btcusdt@depth@100ms` and its like; other streams are ignored."""
        base, _, rest = stream.partition("@depth")
        speed = {"100ms": 100, "250ms": 250, "500ms": 500}.get(rest.partition("@")[2])
        if speed is not None:
            self._open.setdefault(f"{base}@depth@0ms", {}).setdefault(stream, DepthWindow(speed))

    def unwatch(self, stream: str) -> None:
        """Forget a stream nobody listens to any more; its chain starts anew with the next listener."""
        for windows in self._open.values():
            windows.pop(stream, None)

    def add(self, source: str, diff: dict[str, Any], now_ms: int) -> None:
        """Merge a diff of `<symbol>@depth@0ms` into every window of the symbol."""
        for window in self._open.get(source, {}).values():
            window.add(diff, now_ms)

    def take(self, now_ms: int) -> list[tuple[str, dict[str, Any]]]:
        """(stream, event) of every window that is over."""
        found = []
        for windows in self._open.values():
            for stream, window in windows.items():
                merged = window.take(now_ms)
                if merged is not None:
                    found.append((stream, merged))
        return found

    def next_due_ms(self) -> int | None:
        """When the next window closes."""
        dues = [due for windows in self._open.values() for w in windows.values() if (due := w.due_ms()) is not None]
        return min(dues, default=None)
