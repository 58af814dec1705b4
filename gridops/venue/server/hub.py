"""Hands the core's events to the sockets that asked for them, through the faults that are armed.

Sits between core and connections. It makes the slower and derived streams from the immediate ones and the core's own
answers; it refuses to replay: who was not connected has missed it.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from gridops.venue.events import StreamEvent
from gridops.venue.server import rewriting
from gridops.venue.server.connection import Connection, Kind
from gridops.venue.server.depth_windows import DepthWindows, partial_levels
from gridops.venue.server.faults import Facts, Fault

BookOf = Callable[[str, int], dict[str, Any]]
FaultsFor = Callable[[Facts], Sequence[Fault]]
_PRIVATE = "private:"
_ALL = {"bookTicker": "!bookTicker", "forceOrder": "!forceOrder@arr"}
"""Streams of every symbol that repeat those of one."""
_REORDER_HOLD_S = 1.0


class Hub:
    """Who listens to what."""

    def __init__(self, faults_for: FaultsFor, book_of: BookOf) -> None:
        self._faults_for = faults_for
        self._book_of = book_of
        self._by_stream: dict[str, list[Connection]] = {}
        self._connections: list[Connection] = []
        self._windows = DepthWindows()
        self._held: dict[str, bytes] = {}
        self._last: dict[str, tuple[Facts, list[Connection], bytes]] = {}
        self._holding = 0
        self._waiting: list[tuple[Facts, list[Connection], bytes]] = []
        self.muted: set[str] = set()
        self.sent = 0

    def join(self, connection: Connection) -> None:
        """A socket opened."""
        self._connections.append(connection)

    def leave(self, connection: Connection) -> None:
        """A socket ended; its subscriptions end with it."""
        self.unsubscribe(connection, list(connection.subscriptions))
        self._connections.remove(connection)

    def connections(self, target: str = "all") -> list[Connection]:
        """The sockets a fault target names."""
        return [each for each in self._connections if target in ("all", each.kind.value)]

    def streams(self) -> list[str]:
        """Every stream that has a listener."""
        return list(self._by_stream)

    def subscribe(self, connection: Connection, streams: Iterable[str]) -> None:
        """Add streams to a socket; one already there stays single."""
        for stream in streams:
            name = _canonical(stream)
            if stream not in connection.subscriptions:
                connection.subscriptions.append(stream)
                self._by_stream.setdefault(name, []).append(connection)
                self._windows.watch(name)

    def unsubscribe(self, connection: Connection, streams: Iterable[str]) -> None:
        """Take streams off a socket; unknown ones are ignored as the venue does."""
        for stream in streams:
            if stream in connection.subscriptions:
                connection.subscriptions.remove(stream)
                self._forget(_canonical(stream), connection)

    def publish(self, events: Iterable[StreamEvent]) -> None:
        """Send events in venue order."""
        for event in events:
            if event.stream.startswith(_PRIVATE):
                self._to_account(event.stream[len(_PRIVATE) :], event.payload)
                continue
            if event.stream.endswith("@depth@0ms"):
                self.flush_windows(event.payload["E"])
                self._windows.add(event.stream, event.payload, event.payload["E"])
            self.send(event.stream, event.payload)
            everybody = _ALL.get(event.stream.partition("@")[2])
            if everybody is not None:
                self.send(everybody, event.payload)

    def flush_windows(self, now_ms: int) -> None:
        """Send every slow depth stream whose window is over."""
        for stream, merged in self._windows.take(now_ms):
            levels = partial_levels(stream)
            if levels:
                book = self._book_of(merged["s"], levels)
                merged = {**merged, "b": book["bids"], "a": book["asks"]}
            self.send(stream, merged)

    def next_window_ms(self) -> int | None:
        """When the next slow depth stream is due."""
        return self._windows.next_due_ms()

    def send(self, stream: str, payload: dict[str, Any] | list[dict[str, Any]]) -> None:
        """Send one public event (or the list of an all-market stream) to the listeners of its stream."""
        listeners = self._by_stream.get(stream)
        if listeners:
            symbol = stream.partition("@")[0].upper()
            first = payload[0] if isinstance(payload, list) else payload
            facts = Facts(Kind.MARKET.value, symbol=symbol, event=str(first.get("e")), stream=stream)
            self._deliver(facts, list(listeners), orjson.dumps(payload))

    def flood(self, target: str, count: int) -> None:
        """Repeat the last event of every stream that many times to its listeners."""
        for facts, listeners, data in list(self._last.values()):
            if target in ("all", facts.channel):
                for _ in range(count):
                    self._push(facts, [each for each in listeners if each in self._connections], data)

    def expire(self, account: str, key: str, now_ms: int, *, silent: bool = False) -> None:
        """The account's listen key died: say so (unless silent) and send its sockets nothing more."""
        if not silent:
            self._to_account(account, {"e": "listenKeyExpired", "E": now_ms, "listenKey": key})
        for each in self._connections:
            if each.kind is Kind.USER and each.account == account:
                each.account = None

    def close_private(self, account: str) -> None:
        """The client deleted its listen key: its sockets are closed."""
        for each in self._connections:
            if each.kind is Kind.USER and each.account == account:
                each.close(1000)

    def _to_account(self, account: str, payload: dict[str, Any]) -> None:
        kind = str(payload.get("e"))
        wanting = [c for c in self._connections if c.account == account and c.kind is Kind.USER]
        listeners = [c for c in wanting if not c.events or kind in c.events]
        if listeners:
            symbol = str(payload.get("s") or payload.get("o", {}).get("s", ""))
            facts = Facts(Kind.USER.value, symbol=symbol, event=kind, account=account, stream=_PRIVATE + account)
            self._deliver(facts, listeners, orjson.dumps(payload))

    def _deliver(self, facts: Facts, listeners: list[Connection], data: bytes) -> None:
        copies, delay_s, hold = 1, 0.0, False
        self._last[facts.stream] = facts, listeners, data
        for fault in self._faults_for(facts):
            match fault.verb:
                case "ws.drop":
                    return
                case "ws.dup":
                    copies += 1
                case "ws.delay":
                    delay_s += fault.args.get("ms", 1_000) / 1_000
                case "ws.reorder":
                    hold = True
                case "ws.mutate":
                    data = rewriting.mutated(data, fault)
        if hold:
            self._hold(facts, listeners, data)
            return
        for _ in range(copies):
            self._push_later(delay_s, facts, listeners, data)
        earlier = self._held.pop(facts.stream, None)
        if earlier is not None:
            self._push(facts, listeners, earlier)

    def _hold(self, facts: Facts, listeners: list[Connection], data: bytes) -> None:
        """Keep an event back until the next of its stream has gone, or a second has."""
        if facts.stream in self._held:
            self._push(facts, listeners, self._held.pop(facts.stream))
        self._held[facts.stream] = data

        def release() -> None:
            if self._held.get(facts.stream) is data:
                self._push(facts, listeners, self._held.pop(facts.stream))

        asyncio.get_running_loop().call_later(_REORDER_HOLD_S, release)

    def _push_later(self, delay_s: float, facts: Facts, listeners: list[Connection], data: bytes) -> None:
        if delay_s > 0:
            asyncio.get_running_loop().call_later(delay_s, self._push, facts, listeners, data)
        else:
            self._push(facts, listeners, data)

    def hold_back(self) -> None:
        """Keep every event until `let_go` was called as often; their order stays."""
        self._holding += 1

    def let_go(self) -> None:
        """Send what was held back, once nobody holds any more."""
        self._holding -= 1
        if not self._holding:
            waiting, self._waiting = self._waiting, []
            for facts, listeners, data in waiting:
                self._push(facts, listeners, data)

    def _push(self, facts: Facts, listeners: list[Connection], data: bytes) -> None:
        if self._holding:
            self._waiting.append((facts, listeners, data))
            return
        if facts.channel in self.muted:
            return
        for each in listeners:
            if not each.halfopen:
                each.push(_wrapped(each.label or facts.stream, data) if each.combined else data)
                self.sent += 1

    def _forget(self, name: str, connection: Connection) -> None:
        listeners = self._by_stream.get(name, [])
        if connection in listeners:
            listeners.remove(connection)
        if not listeners:
            self._by_stream.pop(name, None)
            self._windows.unwatch(name)


def _wrapped(stream: str, data: bytes) -> bytes:
    return b'{"stream":' + orjson.dumps(stream) + b',"data":' + data + b"}"


def _canonical(stream: str) -> str:
    """One name for streams with a default speed: `@depth` and `@depth5` mean every 250 ms."""
    base, _, rest = stream.partition("@depth")
    return f"{stream}@250ms" if base != stream and "@" not in rest else stream
