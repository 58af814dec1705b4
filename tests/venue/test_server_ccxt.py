"""Unmodified ccxt trades on a spawned venue over REST, streams and ws-api, and never asks for an unknown path."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from gridops.venue.handle import VenueHandle, spawn
from gridops.venue.options import VenueOptions
from tests.venue.ccxt_local import exchange

pytestmark = pytest.mark.wire
SYMBOL = "BTC/USDT:USDT"


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueHandle]:
    handle = spawn(VenueOptions(store=tmp_path_factory.mktemp("venue"), market="synthetic:7", idle_exit_s=60))
    yield handle
    handle.stop()


@pytest.fixture
async def client(venue: VenueHandle) -> AsyncIterator[Any]:
    made = exchange(venue)
    await made.load_markets()
    yield made
    await made.cancel_all_orders(SYMBOL)
    await made.close()


async def far_bid(client: Any) -> float:
    """A price one percent under the best bid: rests, inside every band."""
    book = await client.fetch_order_book(SYMBOL, 5)
    return float(client.price_to_precision(SYMBOL, book["bids"][0][0] * 0.99))


async def test_markets_book_and_time(client: Any, venue: VenueHandle) -> None:
    assert SYMBOL in client.markets
    book = await client.fetch_order_book(SYMBOL)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert abs(await client.fetch_time() - client.milliseconds()) < 2_000
    assert (await client.fetch_funding_rate(SYMBOL))["markPrice"] > 0


async def test_create_edit_fetch_and_cancel(client: Any) -> None:
    price = await far_bid(client)
    order = await client.create_order(
        SYMBOL, "limit", "buy", 0.01, price, {"newClientOrderId": "goT1", "postOnly": True}
    )
    assert (order["status"], order["clientOrderId"]) == ("open", "goT1")
    moved = await client.edit_order(order["id"], SYMBOL, "limit", "buy", 0.02, price - 10)
    assert (moved["id"], moved["amount"], moved["price"]) == (order["id"], 0.02, price - 10)
    assert (await client.fetch_order(order["id"], SYMBOL))["price"] == price - 10
    assert [each["id"] for each in await client.fetch_open_orders(SYMBOL)] == [order["id"]]
    await client.cancel_order(order["id"], SYMBOL)
    assert await client.fetch_open_orders(SYMBOL) == []


async def test_batches(client: Any) -> None:
    price = await far_bid(client)
    legs = [
        {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": price - n, "params": {}}
        for n in range(5)
    ]
    made = await client.create_orders(legs)
    assert len({order["id"] for order in made}) == 5
    legs = [
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "orderId": order["id"],
            "quantity": "0.02",
            "price": client.price_to_precision(SYMBOL, order["price"] - 20),
        }
        for order in made
    ]
    raw = await client.fapiPrivatePutBatchOrders({"batchOrders": legs})
    assert [leg["origQty"] for leg in raw] == ["0.020"] * 5
    await client.cancel_orders([order["id"] for order in made], SYMBOL)
    assert await client.fetch_open_orders(SYMBOL) == []


async def test_a_market_order_fills_and_the_account_shows_it(client: Any) -> None:
    await client.create_order(SYMBOL, "market", "buy", 0.01)
    positions = await client.fetch_positions([SYMBOL])
    assert positions[0]["contracts"] >= 0.01
    fees = [entry for entry in await client.fetch_my_trades(SYMBOL) if entry["fee"]["cost"] > 0]
    assert fees
    await client.create_order(SYMBOL, "market", "sell", positions[0]["contracts"], None, {"reduceOnly": True})
    assert await client.fetch_positions([SYMBOL]) == []
    assert (await client.fetch_balance())["USDT"]["total"] < 10_000


async def test_the_user_stream_tells_orders_and_trades(client: Any) -> None:
    watching = asyncio.create_task(client.watch_orders(SYMBOL))
    await asyncio.sleep(0.5)
    order = await client.create_order(SYMBOL, "limit", "buy", 0.01, await far_bid(client))
    seen = await asyncio.wait_for(watching, 10)
    assert seen[-1]["id"] == order["id"]
    trades = asyncio.create_task(client.watch_my_trades(SYMBOL))
    await asyncio.sleep(0.1)
    await client.create_order(SYMBOL, "market", "buy", 0.002)
    assert (await asyncio.wait_for(trades, 10))[-1]["amount"] > 0


@pytest.mark.parametrize("call", ["order_book", "trades", "agg_trades", "bids_asks", "mark_price", "tickers"])
async def test_market_streams(client: Any, call: str) -> None:
    watch: Any = {
        "order_book": lambda: client.watch_order_book(SYMBOL),
        "trades": lambda: client.watch_trades(SYMBOL),
        "agg_trades": lambda: client.watch_trades(SYMBOL, params={"name": "aggTrade"}),
        "bids_asks": lambda: client.watch_bids_asks([SYMBOL]),
        "mark_price": lambda: client.watch_mark_price(SYMBOL),
        "tickers": lambda: client.watch_tickers([SYMBOL]),
    }[call]
    for _ in range(3):
        assert await asyncio.wait_for(watch(), 20)


async def test_the_order_book_of_ccxt_stays_in_step_with_the_snapshot(client: Any) -> None:
    for _ in range(40):
        book = await asyncio.wait_for(client.watch_order_book(SYMBOL), 10)
        assert book["bids"][0][0] < book["asks"][0][0]


async def test_orders_over_the_websocket(client: Any) -> None:
    price = await far_bid(client)
    order = await client.create_order_ws(SYMBOL, "limit", "buy", 0.01, price, {"newClientOrderId": "goW:1"})
    moved = await client.edit_order_ws(order["id"], SYMBOL, "limit", "buy", 0.02, price - 5)
    assert (moved["id"], moved["amount"]) == (order["id"], 0.02)
    assert (await client.cancel_order_ws(order["id"], SYMBOL))["status"] == "canceled"
    assert (await client.fetch_balance_ws())["USDT"]["total"] > 0
    assert isinstance(await client.fetch_positions_ws([SYMBOL]), list)


async def test_refusals_come_with_the_venues_code(client: Any) -> None:
    price = await far_bid(client)
    for code, call in {
        -4164: ("limit", "buy", 0.001, price),
        -4005: ("limit", "buy", 1_000_000, price),
        -4013: ("limit", "buy", 0.01, 1.0),
        -2022: ("market", "buy", 0.01, None, {"reduceOnly": True}),
        -5022: ("limit", "buy", 0.01, price * 1.02, {"postOnly": True}),
    }.items():
        with pytest.raises(Exception) as refusal:
            await client.create_order(SYMBOL, *call)
        assert f'"code":{code}' in str(refusal.value)


async def test_settings_and_the_dead_man(client: Any) -> None:
    assert (await client.set_leverage(7, SYMBOL))["leverage"] in (7, "7")
    assert (await client.fetch_position_mode())["hedged"] is False
    assert (await client.fetch_trading_fee(SYMBOL))["maker"] == 0.0002
    await client.create_order(SYMBOL, "limit", "buy", 0.01, await far_bid(client))
    await client.fapiPrivatePostCountdownCancelAll({"symbol": "BTCUSDT", "countdownTime": 300})
    await asyncio.sleep(0.6)
    assert await client.fetch_open_orders(SYMBOL) == []


async def test_zz_no_unknown_path_was_ever_asked_for(client: Any, venue: VenueHandle) -> None:
    summary = venue.summary()
    assert (summary["unknown_paths"], summary["internal_errors"]) == (0, [])
    assert summary["requests"] > 20
