"""The ws-api answers frames with the same judgement as REST, in its own envelope."""

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import aiohttp
import pytest
from tests.venue.wire_client import KEY, SECRET, Bench, bench


def signed(**sent: Any) -> dict[str, Any]:
    sent |= {"apiKey": KEY, "timestamp": int(time.time() * 1_000)}
    texts = {name: str(held).lower() if isinstance(held, bool) else str(held) for name, held in sent.items()}
    payload = "&".join(f"{name}={texts[name]}" for name in sorted(texts))
    return {**sent, "signature": hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()}


async def ask(socket: aiohttp.ClientWebSocketResponse, method: str, frame_id: Any = "1", **sent: Any) -> Any:
    await socket.send_json({"id": frame_id, "method": method, "params": sent})
    return json.loads((await socket.receive(5)).data)


def connect(venue: Bench) -> Any:
    return venue.session.ws_connect(venue.ws + "/ws-fapi/v1")


@pytest.mark.parametrize(
    ("method", "verb", "path"),
    [("order.place", "POST", "/fapi/v1/order"), ("order.modify", "PUT", "/fapi/v1/order"),
     ("order.cancel", "DELETE", "/fapi/v1/order"), ("order.status", "GET", "/fapi/v1/order"),
     ("v2/account.position", "GET", "/fapi/v3/positionRisk"), ("account.balance", "GET", "/fapi/v2/balance")],
)  # fmt: skip
async def test_methods_are_the_rest_calls_of_the_same_meaning(method: str, verb: str, path: str) -> None:
    sent = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.1", "reduceOnly": True, "orderId": 5}
    async with bench() as venue, connect(venue) as socket:
        reply = await ask(socket, method, **signed(**sent))
        assert (reply["id"], reply["status"]) == ("1", 200)
        account, had_verb, had_path, params = venue.core.calls[0]
        assert (account, had_verb, had_path) == ("acc", verb, path)
        assert (params["reduceOnly"], params["orderId"]) == ("true", "5")


async def test_order_writes_show_all_limits_and_share_them_with_rest() -> None:
    async with bench() as venue, connect(venue) as socket:
        sent = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"}
        await venue.signed("POST", "/fapi/v1/order", in_body=True, **sent)
        limits = (await ask(socket, "order.place", **signed(**sent)))["rateLimits"]
        # The handshake weighs 5, orders weigh nothing.
        assert [(row["rateLimitType"], row["count"]) for row in limits] == [
            ("REQUEST_WEIGHT", 5), ("ORDERS", 2), ("ORDERS", 2),
        ]  # fmt: skip


async def test_refusals_carry_the_code_in_the_envelope() -> None:
    async with bench() as venue, connect(venue) as socket:
        bad = signed(symbol="BTCUSDT") | {"signature": "0" * 64}
        assert (await ask(socket, "order.status", **bad))["error"]["code"] == -1022
        assert (await ask(socket, "order.status", symbol="BTCUSDT"))["status"] == 401
        assert (await ask(socket, "order.fly", 7, **signed()))["id"] == 7
        assert (await ask(socket, "order.status", **signed(symbol="")))["error"]["code"] == -1105


async def test_a_listen_key_can_be_had_here() -> None:
    async with bench() as venue, connect(venue) as socket:
        key = (await ask(socket, "userDataStream.start", apiKey=KEY))["result"]["listenKey"]
        assert (await ask(socket, "userDataStream.ping", apiKey=KEY))["result"]["listenKey"] == key
        assert (await ask(socket, "userDataStream.stop", apiKey=KEY))["result"] == {}
        assert (await ask(socket, "userDataStream.ping", apiKey=KEY))["error"]["code"] == -1125


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"method":1}',
        '{"method":"order.place","params":[]}',
        '{"id":{},"method":"x"}',
        "[" * 9_000,
        '{"id":"\\ud800","method":"x"}',
        '{"id":99999999999999999999,"method":"x"}',
        '{"method":"x","params":{"a":NaN}}',
    ],
)
async def test_malformed_frames_are_answered_and_the_socket_lives(text: str) -> None:
    async with bench() as venue, connect(venue) as socket:
        await socket.send_str(text)
        assert json.loads((await socket.receive(5)).data)["error"]["code"] == -1135
        assert (await ask(socket, "ticker.price", symbol="BTCUSDT"))["status"] == 200
        assert venue.floor.journal.internal_errors == []


async def test_nested_params_do_not_crash() -> None:
    async with bench() as venue, connect(venue) as socket:
        reply = await ask(socket, "order.place", symbol={"a": [1, None]}, x=None, é="é")
        assert reply["status"] in (400, 401)
        assert venue.floor.journal.internal_errors == []


async def test_a_muted_ws_api_applies_and_never_answers() -> None:
    async with bench() as venue, connect(venue) as socket:
        await venue.control("fault", verb="ws.silent", target="ws_api")
        await socket.send_json({"id": 1, "method": "order.cancel", "params": signed(symbol="BTCUSDT")})
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive(0.3)
        assert len(venue.core.calls) == 1


async def test_a_fault_can_choose_the_channel() -> None:
    async with bench() as venue, connect(venue) as socket:
        await venue.control("fault", verb="rest.http", code=-1008, selector={"channel": "ws_api"})
        reply = await ask(socket, "order.cancel", **signed(symbol="BTCUSDT"))
        assert (reply["status"], reply["error"]["code"]) == (503, -1008)
        assert (await venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT")).status == 200
