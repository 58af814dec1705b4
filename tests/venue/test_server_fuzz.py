"""The composed venue survives thousands of absurd but well-signed requests: venue codes only, books intact."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from gridops.venue.handle import VenueHandle, spawn
from gridops.venue.options import VenueOptions
from gridops.venue.server.auth import signature_of, ws_payloads
from gridops.venue.server.routes import ROUTES
from gridops.venue.server.ws_api import METHODS
from yarl import URL

pytestmark = pytest.mark.wire

NASTY = [
    *("0", "-0", "-1", "1", "0.001", "0.0000000000000001", "99999999999999999999", "9223372036854775807"),
    *("NaN", "Infinity", "1e5", "true", "false", "null", "[]", "{}", "[1]", "[{}]", "BTCUSDT", "btcusdt", "ETHUSDT"),
    *(
        "BUY",
        "SELL",
        "LIMIT",
        "MARKET",
        "STOP_MARKET",
        "STOP",
        "TAKE_PROFIT",
        "TRAILING_STOP_MARKET",
        "GTC",
        "GTX",
        "IOC",
        "FOK",
        "GTD",
        "LONG",
        "BOTH",
        "CROSSED",
    ),
    *("65000", "65000.05", "64000.1", "0.01", " ", "a" * 36, "a" * 37, "go!", "é", "\x00", "%", "'", '"', "1m", "1y"),
]
NAMES = [
    *("symbol", "side", "type", "timeInForce", "quantity", "price", "reduceOnly", "newClientOrderId", "orderId"),
    *("origClientOrderId", "positionSide", "goodTillDate", "limit", "startTime", "endTime", "fromId", "interval"),
    *(
        "countdownTime",
        "leverage",
        "marginType",
        "dualSidePosition",
        "incomeType",
        "modifyId",
        "priceMatch",
        "stopPrice",
        "triggerPrice",
        "callbackRate",
        "activatePrice",
        "algoId",
        "clientAlgoId",
        "closePosition",
    ),
    *("selfTradePreventionMode", "newOrderRespType", "batchOrders", "orderIdList", "origclientorderidlist", "feeBurn"),
]
PLAUSIBLE = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "64000", "timeInForce": "GTC",
    "countdownTime": "0", "leverage": "5", "marginType": "CROSSED", "dualSidePosition": "false", "feeBurn": "false",
    "interval": "1m", "batchOrders": "[]", "pair": "BTCUSDT", "contractType": "PERPETUAL", "algoType": "CONDITIONAL",
    "amount": "5",
}  # fmt: skip


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueHandle]:
    handle = spawn(VenueOptions(store=tmp_path_factory.mktemp("venue"), market="synthetic:5", idle_exit_s=60))
    yield handle
    handle.stop()


def drawn(chance: random.Random, required: tuple[str, ...]) -> dict[str, str]:
    """Mostly what the route wants, one to four things it does not."""
    given = {name: PLAUSIBLE[name] for name in required if chance.random() < 0.9}
    for _ in range(chance.randrange(1, 5)):
        given[chance.choice(NAMES)] = chance.choice(NASTY)
    if "batchOrders" in given and chance.random() < 0.7:
        legs = [
            {chance.choice(NAMES): chance.choice(NASTY) for _ in range(4)} | {"symbol": "BTCUSDT"} for _ in range(3)
        ]
        given["batchOrders"] = json.dumps(legs)
    return given


PER_ROUND, ROUNDS = 30, 2
"""Requests to each route: with two seeds, sixty routes and the frames below, over ten thousand a run."""


async def one(
    session: aiohttp.ClientSession, venue: VenueHandle, method: str, path: str, given: dict[str, str]
) -> None:
    """A well-signed request is answered with a code of the venue, whatever is in it."""
    query = "&".join(f"{name}={quote(held)}" for name, held in given.items())
    target = f"{venue.rest}{path}?{query}&signature={signature_of(venue.api_secret, query)}"
    async with session.request(method, URL(target, encoded=True)) as reply:
        text = await reply.text()
    assert reply.status < 500, (method, path, given, text)
    assert reply.status not in (418, 429)
    assert reply.status == 200 or json.loads(text)["code"] < 0, text


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_route_answers_absurd_parameters_with_a_code(venue: VenueHandle, seed: int) -> None:
    chance = random.Random(seed)
    before = venue.summary()["requests"]
    async with aiohttp.ClientSession(headers={"X-MBX-APIKEY": venue.api_key}) as session:
        for (method, path), route in list(ROUTES.items()) * ROUNDS:
            venue.command("reset_limits")
            timestamp = {"timestamp": str(int(time.time() * 1_000))}
            drawings = [drawn(chance, route.required) | timestamp for _ in range(PER_ROUND)]
            await asyncio.gather(*(one(session, venue, method, path, given) for given in drawings))
    summary = venue.summary()
    assert (summary["internal_errors"], summary["unknown_paths"]) == ([], 0)
    assert summary["requests"] - before == len(ROUTES) * PER_ROUND * ROUNDS
    assert venue.truth()["violations"] == []


async def test_the_ws_api_answers_absurd_parameters_with_a_code(venue: VenueHandle) -> None:
    chance = random.Random(4)
    venue.command("reset_limits")
    async with aiohttp.ClientSession() as session, session.ws_connect(venue.ws_api) as socket:
        for number, method in enumerate(list(METHODS) * 120):
            if number % 100 == 0:
                venue.command("reset_limits")
            sent: dict[str, Any] = drawn(chance, ("symbol", "side", "type", "quantity", "price"))
            sent = {
                name: chance.choice([held, 5, True, None, [held]]) if chance.random() < 0.2 else held
                for name, held in sent.items()
            }
            sent |= {"apiKey": venue.api_key, "timestamp": int(time.time() * 1_000)}
            texts = {name: json.dumps(held) if not isinstance(held, str) else held for name, held in sent.items()}
            sent["signature"] = signature_of(venue.api_secret, ws_payloads(texts)[0])
            await socket.send_json({"id": number, "method": method, "params": sent})
            reply = json.loads((await asyncio.wait_for(socket.receive(), 5)).data)
            assert reply["id"] == number and reply["status"] < 500, reply
    assert venue.summary()["internal_errors"] == []
    assert venue.truth()["violations"] == []


def broken_frame(chance: random.Random) -> str:
    """Something like a control frame of a stream socket."""
    good = {"method": chance.choice(["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "PING", "x"]), "id": 1}
    good["params"] = chance.choice(
        [["btcusdt@depth"], ["btcusdt@nope"], "btcusdt@trade", [5], None, [], ["!bookTicker"] * 3, [["a"]], ["\u0000"]]
    )
    text = json.dumps({name: held for name, held in good.items() if chance.random() < 0.9})
    if chance.random() < 0.5:
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice(['"', "{", "\\", "é", "\x00", "", "9" * 40]) + text[at + chance.randrange(3) :]
    return text


async def test_broken_frames_never_hurt_a_stream_or_the_ws_api(venue: VenueHandle) -> None:
    chance = random.Random(9)
    paths = ("public/ws", "market/stream", "private/ws", "ws-fapi/v1")
    venue.command("reset_limits")
    async with aiohttp.ClientSession() as session:
        for number in range(160):
            async with session.ws_connect(f"{venue.ws}/{paths[number % 4]}") as socket:
                for _ in range(10):
                    await socket.send_str(broken_frame(chance))
                if number % 4 != 3:
                    assert await asyncio.wait_for(socket.receive(), 5)
                if chance.random() < 0.2:
                    await socket.send_bytes(chance.randbytes(30))
    summary = venue.summary()
    assert summary["internal_errors"] == []


async def test_what_is_hardly_http_is_refused_in_the_venues_words(venue: VenueHandle) -> None:
    chance = random.Random(10)
    host, _, port = venue.rest.removeprefix("http://").partition(":")
    for _ in range(200):
        line = chance.choice(
            [
                b"GET /fapi/v1/time?a=%zz HTTP/1.1",
                b"GET /fapi/v1/\xff\xfe HTTP/1.1",
                b"POST /fapi/v1/order HTTP/9",
                b"x",
            ]
        )
        head = chance.choice(
            [b"Host: a", b"Content-Length: -5", b"Content-Length: 99999999999", b"Transfer-Encoding: x"]
        )
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(line + b"\r\n" + head + b"\r\n\r\n" + chance.randbytes(chance.randrange(40)))
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert b"Traceback" not in answer and b" 500 " not in answer.split(b"\r\n")[0]
    assert venue.summary()["internal_errors"] == []
    assert venue.truth()["violations"] == []
