"""A running server around the stub core, and a client that signs as the venue documents it."""

import asyncio
import hashlib
import hmac
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import aiohttp
from gridops.venue.server.app import VenueServer
from gridops.venue.server.auth import Credentials, KeyRing
from gridops.venue.server.clock import RealClock, VenueClock
from gridops.venue.server.connection import SocketRules
from gridops.venue.server.control import ControlFace
from gridops.venue.server.floor import Floor
from gridops.venue.server.market_feed import MarketFeed
from gridops.venue.server.oracle import OracleFace
from tests.venue.wire_stub import ListMarket, StubCore

KEY, SECRET, TOKEN = "k" * 64, "s" * 64, "t" * 32


class Bench:
    """Server, floor, stub core and an HTTP session against them."""

    def __init__(self, floor: Floor, core: Any, port: int, session: aiohttp.ClientSession) -> None:
        self.floor, self.core, self.port, self.session = floor, core, port, session
        self.rest = f"http://127.0.0.1:{port}"
        self.ws = f"ws://127.0.0.1:{port}"

    async def raw(self, method: str, target: str, body: str = "", headers: dict[str, str] | None = None) -> "Reply":
        from yarl import URL

        url = URL(self.rest + target, encoded=True)
        async with self.session.request(method, url, data=body.encode(), headers=headers or {}) as reply:
            text = await reply.text()
            return Reply(reply.status, text, dict(reply.headers))

    async def signed(self, method: str, path: str, in_body: bool = False, key: str = KEY, **params: Any) -> "Reply":
        params.setdefault("timestamp", int(time.time() * 1_000))
        query = urlencode(params)
        query += "&signature=" + hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": key}
        if in_body:
            return await self.raw(method, path, query, headers)
        return await self.raw(method, f"{path}?{query}", "", headers)

    async def control(self, name: str, /, **body: Any) -> "Reply":
        import json

        return await self.raw("POST", f"/control/{name}", json.dumps(body), {"X-Control-Token": TOKEN})


class Reply:
    """Status, text and headers of one answer."""

    def __init__(self, status: int, text: str, headers: dict[str, str]) -> None:
        self.status, self.text, self.headers = status, text, headers

    @property
    def json(self) -> Any:
        import json

        return json.loads(self.text)

    @property
    def code(self) -> int:
        return int(self.json["code"])


@asynccontextmanager
async def bench(
    core: Any = None, *, clock: VenueClock | None = None, market: ListMarket | None = None,
    rules: SocketRules | None = None, idle_exit_s: float = 60.0, tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Bench]:  # fmt: skip
    core = core or StubCore()
    clock = clock or RealClock()
    feed = MarketFeed(market or ListMarket(), venue_start_ms=clock.now_ms())
    floor = Floor(core, clock, feed, KeyRing([Credentials("acc", KEY, SECRET)]), rules=rules)
    server = VenueServer(floor, OracleFace(floor, {}), ControlFace(floor, TOKEN, save=lambda: None))
    port = await server.start(0, tls=tls)
    running = asyncio.create_task(server.run(idle_exit_s))
    async with aiohttp.ClientSession() as session:
        try:
            yield Bench(floor, core, port, session)
        finally:
            floor.stopping.set()
            with suppress(asyncio.CancelledError):
                await running
            await server.close()
