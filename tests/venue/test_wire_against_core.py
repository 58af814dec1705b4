"""In lock-step under a manual clock the venue on sockets and the bare core give one and the same trace."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from gridops.venue.core import VenueCore, VenueError
from gridops.venue.handle import VenueHandle, spawn
from gridops.venue.market.sources import open_market
from gridops.venue.options import VenueOptions
from gridops.venue.server.auth import signature_of
from gridops.venue.server.market_feed import MarketFeed
from tests.venue.payload_scenes import Listener
from yarl import URL

pytestmark = pytest.mark.wire

PUBLIC, SLOWER = (
    ("btcusdt@depth@0ms", "btcusdt@bookTicker", "btcusdt@trade"),
    ("btcusdt@aggTrade", "btcusdt@markPrice@1s"),
)
Step = tuple[str, str, dict[str, str]]


def steps(seed: int, count: int) -> Iterator[int | Step]:
    """Milliseconds to wait, or a call; prices around where the synthetic market starts."""
    chance = random.Random(seed)
    named: list[str] = []
    for number in range(count):
        name = f"go:{number}"
        order = {"symbol": "BTCUSDT", "origClientOrderId": chance.choice([*named, "none"])}
        price = f"{65_000 + chance.randint(-60, 60)}.{chance.randint(0, 9)}0"
        side, quantity = chance.choice(["BUY", "SELL"]), f"0.0{chance.randint(1, 30):02d}"
        limit = {"symbol": "BTCUSDT", "side": side, "quantity": quantity, "newClientOrderId": name}
        tif = chance.choice(["GTC", "GTX", "IOC", "GTX"])
        calls: list[Step] = [
            *[("POST", "v1/order", {**limit, "type": "LIMIT", "timeInForce": tif, "price": price})] * 4,
            ("POST", "v1/order", {**limit, "type": "MARKET", "newOrderRespType": "RESULT"}),
            ("PUT", "v1/order", {**order, "side": side, "quantity": quantity, "price": price}),
            ("DELETE", "v1/order", order),
            ("GET", "v1/order", order),
            ("GET", "v1/openOrders", {"symbol": "BTCUSDT"}),
            ("GET", "v3/account", {}),
            ("GET", "v3/positionRisk", {}),
            ("GET", "v1/userTrades", {"symbol": "BTCUSDT"}),
            ("GET", "v1/depth", {"symbol": "BTCUSDT", "limit": "20"}),
        ]
        named.append(name)
        yield chance.choice([10, 250, 1_000, 4_000])
        yield chance.choice(calls)


class Core:
    """The core with a market feed and nothing else."""

    def __init__(self, market: str, seed: int) -> None:
        source = open_market(market)
        self.now_ms = source.start_ms()
        self.core = VenueCore(symbols=source.symbols(), start_ms=self.now_ms, seed=seed)
        self.core.add_account("me", api_key="", api_secret="", wallet={"USDT": Decimal(10_000)})
        self.feed = MarketFeed(source, venue_start_ms=self.now_ms)
        self.feed.run_until(self.core, self.now_ms, 10**9)
        self.core.drain()
        self.replies: list[Any] = []
        self.events: dict[str, list[Any]] = {}

    def step(self, step: int | Step) -> None:
        if isinstance(step, int):
            self.now_ms += step
            self.feed.run_until(self.core, self.now_ms, 10**9)
        else:
            method, path, params = step
            try:
                self.replies.append([200, self.core.call("me", method, f"/fapi/{path}", params, self.now_ms)])
            except VenueError as error:
                self.replies.append([error.status, error.body()])
        for event in self.core.drain():
            self.events.setdefault(event.stream.replace("private:me", "user"), []).append(event.payload)


@asynccontextmanager
async def listening(venue: VenueHandle, session: aiohttp.ClientSession) -> AsyncIterator[list[Listener]]:
    """The user stream and the immediate market streams of a venue process."""
    async with session.post(f"{venue.rest}/fapi/v1/listenKey") as reply:
        key = (await reply.json())["listenKey"]
    targets = (
        f"private/stream?streams={key}", f"public/stream?streams={'/'.join(PUBLIC)}",
        f"market/stream?streams={'/'.join(SLOWER)}",
    )  # fmt: skip
    sockets = [Listener(await session.ws_connect(f"{venue.ws}/{target}")) for target in targets]
    yield sockets
    await asyncio.sleep(0.3)
    for each in sockets:
        await each.close()


async def over_the_wire(venue: VenueHandle, script: list[int | Step]) -> tuple[list[Any], dict[str, list[Any]]]:
    """Replies and events of the process."""
    now_ms = venue.summary()["now_ms"]
    replies: list[Any] = []
    async with aiohttp.ClientSession(headers={"X-MBX-APIKEY": venue.api_key}) as session:
        async with listening(venue, session) as sockets:
            for step in script:
                if isinstance(step, int):
                    now_ms = (await asyncio.to_thread(venue.command, "advance", {"ms": step}))["now_ms"]
                    continue
                method, path, params = step
                query = urlencode({**params, "timestamp": now_ms})
                target = f"{venue.rest}/fapi/{path}?{query}&signature={signature_of(venue.api_secret, query)}"
                async with session.request(method, URL(target, encoded=True)) as reply:
                    replies.append([reply.status, json.loads(await reply.read())])
    events: dict[str, list[Any]] = {}
    for socket in sockets:
        for message in socket.heard:
            name = message["stream"] if "@" in message["stream"] else "user"
            events.setdefault(name, []).append(message["data"])
    return replies, events


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_trace_is_the_same(tmp_path: Path, seed: int) -> None:
    market, script = f"synthetic:{seed}", list(steps(seed, 60))
    options = VenueOptions(store=tmp_path / "venue", market=market, clock="manual", seed=seed, idle_exit_s=60)
    venue = await asyncio.to_thread(spawn, options)
    try:
        replies, events = await over_the_wire(venue, script)
        truth = venue.truth()
    finally:
        venue.stop()
    core = Core(market, seed)
    for step in script:
        core.step(step)
    assert replies == json.loads(json.dumps(core.replies))
    for stream in ("user", *PUBLIC, *SLOWER):
        assert events.get(stream, []) == core.events.get(stream, []), stream
    assert len(events["user"]) > 10 and len(events["btcusdt@depth@0ms"]) > 100
    ours = core.core.truth()
    assert [row["id"] for row in truth["fills"]] == [row["id"] for row in ours["fills"]]
    assert truth["book"] == json.loads(json.dumps(ours["book"]))
