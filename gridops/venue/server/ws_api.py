"""The order API over a websocket: method and params in a frame, the same answer as REST in a frame back.

Sits beside REST in front of the gateway; limits and faults are shared with it. It knows no session logon: every
request carries its own key and signature, as client libraries do.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson
from aiohttp import web

from gridops.venue.errors import VenueError
from gridops.venue.server import auth
from gridops.venue.server.connection import Connection, Kind
from gridops.venue.server.floor import Floor
from gridops.venue.server.gateway import Gateway, Request
from gridops.venue.server.outcomes import Answer
from gridops.venue.server.params import INT64_MAX

PATH = "/ws-fapi/v1"
HANDSHAKE_WEIGHT = 5

METHODS: dict[str, tuple[str, str]] = {
    "order.place": ("POST", "/fapi/v1/order"),
    "order.modify": ("PUT", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "algoOrder.place": ("POST", "/fapi/v1/algoOrder"),
    "algoOrder.cancel": ("DELETE", "/fapi/v1/algoOrder"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "account.status": ("GET", "/fapi/v2/account"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "userDataStream.start": ("POST", "/fapi/v1/listenKey"),
    "userDataStream.ping": ("PUT", "/fapi/v1/listenKey"),
    "userDataStream.stop": ("DELETE", "/fapi/v1/listenKey"),
    "depth": ("GET", "/fapi/v1/depth"),
    "ticker.price": ("GET", "/fapi/v1/ticker/price"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
}
"""ws-api method -> the REST route with the same meaning and cost."""


class WsApiFace:
    """Sockets of the ws-api."""

    def __init__(self, floor: Floor, gateway: Gateway) -> None:
        self._floor = floor
        self._gateway = gateway
        self._running: set[asyncio.Task[None]] = set()

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """Serve one socket; each frame is answered by its own task, so that a delayed one holds up no other."""
        floor = self._floor
        try:
            floor.rates.charge(floor.clock.now_ms(), HANDSHAKE_WEIGHT)
        except VenueError as error:
            return web.json_response(error.body(), status=error.status, headers=error.headers)
        connection = Connection(Kind.WS_API, floor.rules)
        floor.hub.join(connection)
        try:
            return await connection.run(http, self._spawn)
        finally:
            floor.hub.leave(connection)

    async def _spawn(self, connection: Connection, text: str) -> None:
        task = asyncio.get_running_loop().create_task(self._on_text(connection, text))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _on_text(self, connection: Connection, text: str) -> None:
        try:
            frame_id, method, sent = _parse(text)
        except VenueError as error:
            self._send(connection, {"id": None, "status": error.status, "error": error.body(), "rateLimits": []})
            return
        verb, path = METHODS.get(method, ("WS", method[:200]))
        request = Request(
            channel="ws_api",
            method=verb,
            path=path,
            api_key=sent.get("apiKey"),
            pairs=lambda: list(sent.items()),
            signed=auth.ws_payloads,
        )
        answer = await self._gateway.serve(request)
        if answer is not None:
            self._send(connection, self._envelope(frame_id, answer))

    def _envelope(self, frame_id: object, answer: Answer) -> dict[str, Any]:
        envelope: dict[str, Any] = {"id": frame_id, "status": answer.status}
        envelope["result" if answer.status == 200 else "error"] = _body_of(answer)
        now_ms = self._floor.clock.now_ms()
        limits = [self._floor.rates.weight_limit(now_ms)]
        if answer.account is not None and "X-MBX-ORDER-COUNT-10S" in answer.headers:
            limits += self._floor.rates.order_limits(answer.account, now_ms, counted=True)
        return envelope | {"rateLimits": limits}

    def _send(self, connection: Connection, envelope: Mapping[str, Any]) -> None:
        if Kind.WS_API.value not in self._floor.hub.muted and not connection.halfopen:
            connection.push(orjson.dumps(envelope))


def _body_of(answer: Answer) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {"code": -1000, "msg": answer.body.decode("utf-8", "replace")}


def _parse(text: str) -> tuple[object, str, dict[str, str]]:
    """(id, method, params as text); -1135 for what is no request at all."""
    try:
        frame = json.loads(text, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise VenueError(-1135, "Invalid JSON Request") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("method"), str):
        raise VenueError(-1135, "Invalid JSON Request")
    frame_id, sent = frame.get("id"), frame.get("params", {})
    if not isinstance(frame_id, (str, int, type(None))) or not isinstance(sent, dict):
        raise VenueError(-1135, "Invalid JSON Request")
    if (isinstance(frame_id, int) and abs(frame_id) > INT64_MAX) or (
        isinstance(frame_id, str) and not frame_id.isascii()
    ):
        raise VenueError(-1135, "Invalid JSON Request")
    return frame_id, frame["method"], {str(name): _text(held) for name, held in sent.items()}


def _text(held: object) -> str:
    """The text that was signed: booleans in lower case, numbers as sent."""
    if isinstance(held, bool):
        return "true" if held else "false"
    return held if isinstance(held, str) else json.dumps(held)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)
