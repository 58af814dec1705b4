"""The stream sockets: /public and /market with subscriptions, /private with a listen key.

Sits between the HTTP server and the hub. Each path serves its own class of streams, as the venue has split them; a
stream of the other class is refused aloud instead of staying silent.
"""

import asyncio
import re
from typing import Any

import orjson
from aiohttp import web

from gridops.venue.server.connection import Connection, Kind
from gridops.venue.server.faults import Facts
from gridops.venue.server.floor import Floor

MAX_STREAMS = 1_024
"""Streams per connection (websocket market streams documentation)."""

_PUBLIC = re.compile(
    r"^[a-z0-9_]{1,20}@(depth(@(0|100|250|500)ms)?|depth(5|10|20)(@(100|250|500)ms)?|bookTicker|trade)$|^!bookTicker$",
    re.ASCII,
)
_INTERVAL = r"(1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d)"
_MARKET = re.compile(
    rf"^[a-z0-9_]{{1,20}}@(aggTrade|markPrice(@1s)?|miniTicker|ticker|kline_{_INTERVAL}|forceOrder)$"
    rf"|^[a-z0-9]{{1,20}}_perpetual@continuousKline_{_INTERVAL}$"
    r"|^!(forceOrder@arr|miniTicker@arr|ticker@arr|markPrice@arr(@1s)?|contractInfo)$",
    re.ASCII,
)
_CLASSES = {"public": _PUBLIC, "market": _MARKET}


class StreamFace:
    """Opens stream sockets and answers their control frames."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    async def handle(self, http: web.BaseRequest, path: str) -> web.StreamResponse:
        """`/<class>/ws[/<n or stream>]`, `/<class>/stream?streams=a/b`, `/private/ws?listenKey=`, `/private/stream`."""
        face, shape, tail = _split(path)
        if face == "private":
            return await self._private(http, tail, combined=shape == "stream")
        connection = Connection(Kind.MARKET, self._floor.rules, combined=shape == "stream")
        wanted = http.query.get("streams", "").split("/") if shape == "stream" else tail.split("/")
        known = _CLASSES[face]
        streams = [name for name in wanted if known.match(name) and not self._withheld(name)][:MAX_STREAMS]

        async def on_text(socket: Connection, text: str) -> None:
            self._on_text(socket, text, known)

        return await self._serve(connection, http, streams, on_text)

    async def _private(self, http: web.BaseRequest, tail: str, *, combined: bool) -> web.StreamResponse:
        """A dead key connects and hears nothing, as on the venue; a combined socket may subscribe to its key."""
        floor = self._floor
        key = http.query.get("listenKey") or http.query.get("streams") or tail
        connection = Connection(Kind.USER, floor.rules, combined=combined)
        self._own(connection, key)
        connection.events = frozenset(filter(None, http.query.get("events", "").split("/")))

        async def on_text(socket: Connection, text: str) -> None:
            self._on_text(socket, text, None)

        return await self._serve(connection, http, [], on_text)

    async def _serve(
        self, connection: Connection, http: web.BaseRequest, streams: list[str], on_text: Any
    ) -> web.StreamResponse:
        floor = self._floor
        floor.touch()
        floor.hub.join(connection)
        floor.journal.opened(floor.clock.now_ms(), connection.kind.value)
        floor.hub.subscribe(connection, streams)
        for fault in floor.faults_for(Facts(connection.kind.value, event="OPEN")):
            asyncio.get_running_loop().call_later(fault.args.get("ms", 100) / 1_000, connection.close, 1001)
        try:
            return await connection.run(http, on_text)
        finally:
            floor.hub.leave(connection)
            floor.touch()

    def _own(self, connection: Connection, key: str) -> None:
        """The socket hears the account of a live key."""
        owner = self._floor.listen_keys.owner(key, self._floor.clock.now_ms())
        if owner is not None:
            connection.account, connection.label = owner, key

    def _on_text(self, connection: Connection, text: str, known: re.Pattern[str] | None) -> None:
        reply = self._reply(connection, text, known)
        if not connection.halfopen and connection.kind.value not in self._floor.hub.muted:
            connection.push(orjson.dumps(reply))

    def _reply(self, connection: Connection, text: str, known: re.Pattern[str] | None) -> dict[str, Any]:
        try:
            frame = orjson.loads(text)
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            return _error(3, "Invalid JSON: expected value at line 1 column 1", None)
        if not isinstance(frame, dict):
            return _error(2, "Invalid request: request must be an object", None)
        frame_id = frame.get("id")
        if not isinstance(frame_id, (int, str, type(None))) or isinstance(frame_id, bool):
            return _error(2, "Invalid request: request ID must be an unsigned integer or a string", None)
        match frame.get("method"):
            case "LIST_SUBSCRIPTIONS":
                return {"result": list(connection.subscriptions), "id": frame_id}
            case "SUBSCRIBE" | "UNSUBSCRIBE" as method:
                return self._change(connection, method, frame.get("params"), frame_id, known)
            case "PING":
                return {"result": None, "id": frame_id}
            case _:
                return _error(2, "Invalid request: unknown method", frame_id)

    def _change(
        self, connection: Connection, method: str, names: object, frame_id: object, known: re.Pattern[str] | None
    ) -> dict[str, Any]:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return _error(2, "Invalid request: params must be an array of strings", frame_id)
        if method == "UNSUBSCRIBE":
            self._floor.hub.unsubscribe(connection, names)
            return {"result": None, "id": frame_id}
        if connection.kind is Kind.USER:
            for name in names if method == "SUBSCRIBE" else ():
                self._own(connection, name)
            return {"result": None, "id": frame_id}
        bad = [name for name in names if known is None or not known.match(name)]
        if bad:
            return _error(2, f"Invalid request: stream not served here: {bad[0][:80]!a}", frame_id)
        if len(connection.subscriptions) + len(names) > MAX_STREAMS:
            return _error(2, "Invalid request: too many streams", frame_id)
        self._floor.hub.subscribe(connection, [name for name in names if not self._withheld(name)])
        return {"result": None, "id": frame_id}

    def _withheld(self, name: str) -> bool:
        """A fault acknowledges the subscription and forgets it."""
        symbol = name.partition("@")[0].upper()
        facts = Facts(Kind.MARKET.value, symbol=symbol, event="SUBSCRIBE", stream=name)
        return bool(self._floor.faults_for(facts))


def is_stream_path(path: str) -> bool:
    """Whether a path belongs to the stream faces."""
    face, shape, _tail = _split(path)
    return (shape == "ws" and face in ("public", "market", "private")) or (
        shape == "stream" and face in (*_CLASSES, "private")
    )


def _split(path: str) -> tuple[str, str, str]:
    face, _, rest = path.lstrip("/").partition("/")
    shape, _, tail = rest.partition("/")
    return face, shape, tail


def _error(code: int, text: str, frame_id: object) -> dict[str, Any]:
    return {"error": {"code": code, "msg": text}, "id": frame_id}
