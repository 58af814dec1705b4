"""Every recorded refusal arrives with its status, code and text: provoked by a client, by a fault where none can."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gridops.venue.core import Fidelity
from tests.venue.core_kit import BTC
from tests.venue.payload_scenes import live_venue
from tests.venue.wire_client import Bench, Reply

pytestmark = pytest.mark.wire

Provoke = Callable[[Bench], Awaitable[Reply]]
LIMIT = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010", "price": "59000.0",
}  # fmt: skip
ORDER = "/fapi/v1/order"
STATUS_UNKNOWN = {19: "429 by the venue's rules of limits, 400 in the error table"}


async def post(venue: Bench, **change: Any) -> Reply:
    return await venue.signed("POST", ORDER, in_body=True, **{**LIMIT, **change})


def order_with(**change: Any) -> Provoke:
    return lambda venue: post(venue, **change)


async def late(venue: Bench) -> Reply:
    return await venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=5, timestamp=1_600_000_000_000)


async def immediate_stop(venue: Bench) -> Reply:
    return await post(venue, type="STOP", stopPrice="59500.0", price="59500.0")


async def mixed_batch(venue: Bench) -> Reply:
    legs = [{**LIMIT, "quantity": "0.001"}, LIMIT]
    return await venue.signed("POST", "/fapi/v1/batchOrders", in_body=True, batchOrders=json.dumps(legs))


async def reduce_only_in_hedge_mode(venue: Bench) -> Reply:
    await venue.signed("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    return await post(venue, positionSide="LONG", reduceOnly="true")


async def amended(venue: Bench, times: int, step: int) -> Reply:
    placed = (await post(venue)).json
    for number in range(times):
        price = f"{58_900 - step * number}.0"
        reply = await venue.signed(
            "PUT", ORDER, in_body=True, symbol="BTCUSDT", side="BUY", orderId=placed["orderId"], quantity="0.010",
            price=price,
        )  # fmt: skip
    return reply


async def same_again(venue: Bench) -> Reply:
    return await amended(venue, 2, 0)


async def too_often(venue: Bench) -> Reply:
    return await amended(venue, BTC_LIMITED.move_order_limit + 1, 1)


async def too_heavy(venue: Bench) -> Reply:
    # Twice what a window holds: it may roll over on the way.
    for _ in range(242):
        reply = await venue.raw("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000")
        if reply.status == 429:
            break
    return reply


async def not_stopping(venue: Bench) -> Reply:
    await too_heavy(venue)
    for _ in range(12):
        reply = await venue.raw("GET", "/fapi/v1/ping")
    return reply


async def too_many_orders(venue: Bench) -> Reply:
    for _ in range(602):
        reply = await post(venue, quantity="0")
        if reply.status == 429:
            break
    return reply


def missing(method: str) -> Provoke:
    return lambda venue: venue.signed(method, ORDER, symbol="BTCUSDT", orderId=1)


def faulty(**fault: Any) -> Provoke:
    async def provoke(venue: Bench) -> Reply:
        armed = await venue.control("fault", n=1, selector={"path": ORDER}, **fault)
        assert armed.status == 200, armed.text
        return await post(venue)

    return provoke


BTC_LIMITED = replace(BTC, move_order_limit=3)
BY_CLIENT: dict[int, Provoke] = {
    1: late,
    2: order_with(quantity="900"),
    3: immediate_stop,
    4: mixed_batch,
    5: order_with(timeInForce="GTX", price="60001.0"),
    6: order_with(price="59000.05"),
    7: reduce_only_in_hedge_mode,
    9: not_stopping,
    10: order_with(type="ICEBERG"),
    11: order_with(quantity="0.001"),
    12: missing("GET"),
    13: missing("DELETE"),
    14: order_with(reduceOnly="true"),
    15: order_with(quantity="0.015"),
    16: same_again,
    17: too_often,
    18: too_heavy,
    19: too_many_orders,
}
BY_FAULT: dict[int, Provoke] = {
    8: faulty(verb="venue.reject", code=-5028),
    20: faulty(verb="rest.apply_then_http", status=408, code=-1007,
               msg="Timeout waiting for response from backend server. Send status unknown; execution status unknown."),
    21: faulty(verb="rest.overload"),
    22: faulty(verb="rest.http", status=400, code=-1008,
               msg="Server is currently overloaded with other requests. Please try again in a few minutes."),
    23: faulty(verb="rest.apply_then_http"),
    24: faulty(verb="rest.http", body="Service Unavailable."),
    25: faulty(verb="rest.http", code=-1001,
               msg="Internal error; unable to process your request. Please try again."),
    26: faulty(verb="rest.html", status=403),
}  # fmt: skip
COARSE = replace(BTC, step_size=BTC.step_size * 10, quantity_precision=3)


def pattern(text: str) -> str:
    """The text with every number, address and closing full stop left open."""
    parts = re.split(r"IP\([^)]*\)|\d+(?:\.\d+)?", text.rstrip("."))
    return r"(?:IP\([^)]*\)|\d+(?:\.\d+)?)".join(map(re.escape, parts)) + r"\.?"


def rows(shared_data: Path) -> list[dict[str, Any]]:
    lines = (shared_data / "protocol" / "errors" / "binance_usdm_errors.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_every_recorded_refusal_has_a_way_to_be_provoked(shared_data: Path) -> None:
    known = BY_CLIENT.keys() | BY_FAULT.keys()
    assert {row["id"] for row in rows(shared_data)} == known
    print(f"by a client: {len(BY_CLIENT)}; by a fault of the venue: {len(BY_FAULT)}")


@pytest.mark.parametrize("number", sorted(BY_CLIENT | BY_FAULT))
async def test_a_refusal_arrives_as_recorded(shared_data: Path, number: int) -> None:
    row = next(row for row in rows(shared_data) if row["id"] == number)
    spec = {15: COARSE, 17: BTC_LIMITED}.get(number, BTC)
    async with live_venue(Fidelity(older_conditionals=number == 3), spec) as venue:
        reply = await (BY_CLIENT | BY_FAULT)[number](venue)
        if number not in STATUS_UNKNOWN:
            assert reply.status == row["http_status"]
        if not row["body_is_json"]:
            assert row["body"] in ("", reply.text)
            return
        ours, theirs = reply.json, json.loads(row["body"])
        if isinstance(theirs, list):
            assert ("code" in ours[0], "code" in ours[1]) == (True, False)
            ours, theirs = ours[0], theirs[0]
        assert ours["code"] == theirs["code"], reply.text
        assert re.fullmatch(pattern(theirs["msg"]), ours["msg"]), ours["msg"]
