"""Sixty-four scripted calls of unmodified ccxt, each through the method its users call, end well on one fresh venue."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from gridops.venue.handle import VenueHandle, spawn
from gridops.venue.options import VenueOptions
from tests.venue.ccxt_local import exchange

pytestmark = pytest.mark.wire
SYMBOL = "BTC/USDT:USDT"
Step = tuple[str, Callable[[], Awaitable[Any]]]


class Script:
    """The calls in order; what later ones need of earlier ones is kept on the way."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.made: dict[str, Any] = {}
        self.bid = 0.0

    async def keep(self, name: str, call: Awaitable[Any]) -> Any:
        self.made[name] = await call
        return self.made[name]

    def price(self, below: float = 0.0) -> float:
        """A price one percent under the first bid seen."""
        return float(self.client.price_to_precision(SYMBOL, self.bid * 0.99 - below))

    async def book(self) -> Any:
        book = await self.client.fetch_order_book(SYMBOL, 5)
        self.bid = book["bids"][0][0]
        return book

    async def refused(self, call: Callable[[], Awaitable[Any]], code: int) -> bool:
        with pytest.raises(Exception, match=f'"code":{code}'):
            await call()
        return True

    def limit(self, below: float = 0.0, **params: Any) -> Awaitable[Any]:
        call: Awaitable[Any] = self.client.create_order(SYMBOL, "limit", "buy", 0.01, self.price(below), params)
        return call

    def id(self, name: str) -> str:
        return str(self.made[name]["id"])

    def taking(self) -> Awaitable[Any]:
        """A post-only bid above the best ask."""
        return self.limit(-self.bid * 0.03, postOnly=True)

    def known(self, name: str) -> dict[str, str]:
        """An order made earlier, in the venue's own words."""
        return {"symbol": "BTCUSDT", "orderId": self.id(name)}

    def steps(self) -> list[Step]:
        return [*self.public(), *self.settings(), *self.singles(), *self.batches(), *self.streams(), *self.over_ws()]

    def public(self) -> list[Step]:
        c = self.client
        return [
            ("load_markets", c.load_markets),
            ("fetch_time", c.fetch_time),
            ("load_time_difference", c.load_time_difference),
            ("fetch_status by ping", c.fapiPublicGetPing),
            ("fetch_order_book", self.book),
            ("fetch_ticker", lambda: c.fetch_ticker(SYMBOL)),
            ("fetch_tickers", lambda: c.fetch_tickers([SYMBOL])),
            ("fetch_bids_asks", lambda: c.fetch_bids_asks([SYMBOL])),
            ("fetch_last_prices", lambda: c.fetch_last_prices([SYMBOL])),
            ("fetch_trades", lambda: c.fetch_trades(SYMBOL)),
            ("fetch_ohlcv", lambda: c.fetch_ohlcv(SYMBOL, "1m")),
            ("fetch_mark_ohlcv", lambda: c.fetch_mark_ohlcv(SYMBOL, "1m")),
            ("fetch_index_ohlcv", lambda: c.fetch_index_ohlcv(SYMBOL, "1m")),
            ("fetch_premium_index_ohlcv", lambda: c.fetch_premium_index_ohlcv(SYMBOL, "1m")),
            ("fetch_funding_rate", lambda: c.fetch_funding_rate(SYMBOL)),
            ("fetch_funding_rates", lambda: c.fetch_funding_rates([SYMBOL])),
            ("fetch_funding_rate_history", lambda: c.fetch_funding_rate_history(SYMBOL)),
            ("fetch_funding_intervals", lambda: c.fetch_funding_intervals([SYMBOL])),
        ]

    def settings(self) -> list[Step]:
        c = self.client
        return [
            ("fetch_balance", c.fetch_balance),
            ("fetch_balance v2", lambda: c.fetch_balance({"useV2": True})),
            ("fetch_positions", lambda: c.fetch_positions([SYMBOL])),
            ("fetch_positions v2", lambda: c.fetch_positions([SYMBOL], {"useV2": True})),
            ("fetch_positions by account", lambda: c.fetch_positions([SYMBOL], {"method": "account"})),
            ("fetch_leverage_tiers", lambda: c.fetch_leverage_tiers([SYMBOL])),
            ("fetch_leverages", lambda: c.fetch_leverages([SYMBOL])),
            ("fetch_margin_mode", lambda: c.fetch_margin_mode(SYMBOL)),
            ("set_leverage", lambda: c.set_leverage(9, SYMBOL)),
            ("set_margin_mode unchanged", lambda: self.refused(lambda: c.set_margin_mode("cross", SYMBOL), -4046)),
            ("set_position_mode unchanged", lambda: self.refused(lambda: c.set_position_mode(False), -4059)),
            ("fetch_position_mode", c.fetch_position_mode),
            ("fetch_trading_fee", lambda: c.fetch_trading_fee(SYMBOL)),
        ]

    def singles(self) -> list[Step]:
        c = self.client
        return [
            ("create limit", lambda: self.keep("gtc", self.limit())),
            ("create post-only", lambda: self.keep("gtx", self.limit(5, postOnly=True, newClientOrderId="go:1"))),
            ("create taking post-only", lambda: self.refused(self.taking, -5022)),
            ("fetch_order", lambda: c.fetch_order(self.id("gtc"), SYMBOL)),
            ("fetch_order by client id", lambda: c.fetch_order(None, SYMBOL, {"origClientOrderId": "go:1"})),
            ("fetch_open_order", lambda: c.fetch_open_order(self.id("gtc"), SYMBOL)),
            ("edit_order", lambda: c.edit_order(self.id("gtc"), SYMBOL, "limit", "buy", 0.02, self.price(10))),
            ("amend by client id", lambda: c.fapiPrivatePutOrder(self.raw("go:1", "0.02", self.price(20)))),
            ("amendment history", lambda: c.fapiPrivateGetOrderAmendment(self.known("gtc"))),
            ("fetch_open_orders", lambda: c.fetch_open_orders(SYMBOL)),
            ("fetch_open_orders of all", c.fetch_open_orders),
            ("fetch_orders", lambda: c.fetch_orders(SYMBOL)),
            ("cancel_order", lambda: c.cancel_order(self.id("gtc"), SYMBOL)),
            ("cancel_order by client id", lambda: c.cancel_order(None, SYMBOL, {"clientOrderId": "go:1"})),
            ("create market", lambda: c.create_order(SYMBOL, "market", "buy", 0.01)),
            ("create reduce-only", lambda: c.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True})),
            ("fetch_my_trades", lambda: c.fetch_my_trades(SYMBOL)),
            ("fetch_funding_history", lambda: c.fetch_funding_history(SYMBOL)),
            ("fetch_ledger", c.fetch_ledger),
            ("create stop", lambda: self.keep("stop", self.stop())),
            ("cancel stop", lambda: c.cancel_order(self.id("stop"), SYMBOL, {"trigger": True})),
        ]  # fmt: skip

    def stop(self) -> Awaitable[Any]:
        params = {"stopPrice": self.price(3_000)}
        call: Awaitable[Any] = self.client.create_order(SYMBOL, "market", "sell", 0.01, None, params)
        return call

    @staticmethod
    def raw(client_id: str, quantity: str, price: float) -> dict[str, str]:
        return {
            "symbol": "BTCUSDT", "side": "BUY", "origClientOrderId": client_id, "quantity": quantity,
            "price": str(price), "modifyId": "77",
        }  # fmt: skip

    def batches(self) -> list[Step]:
        c = self.client

        async def create() -> Any:
            legs = [
                {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": self.price(n)}
                for n in range(3)
            ]
            return await self.keep("batch", c.create_orders(legs))  # fmt: skip

        async def edit() -> Any:
            changes = [
                {"id": order["id"], "symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.02,
                 "price": self.price(30 + n)}
                for n, order in enumerate(self.made["batch"])
            ]  # fmt: skip
            return await c.edit_orders(changes)

        return [
            ("create_orders", create),
            ("edit_orders", edit),
            ("cancel_orders", lambda: c.cancel_orders([order["id"] for order in self.made["batch"][:2]], SYMBOL)),
            ("cancel_all_orders", lambda: c.cancel_all_orders(SYMBOL)),
            ("dead man", lambda: c.fapiPrivatePostCountdownCancelAll({"symbol": "BTCUSDT", "countdownTime": 0})),
        ]

    def streams(self) -> list[Step]:
        c = self.client

        async def orders() -> Any:
            watching = asyncio.create_task(c.watch_orders(SYMBOL))
            await asyncio.sleep(0.3)
            await self.keep("watched", self.limit(40))
            return await watching

        async def trades() -> Any:
            watching = [asyncio.create_task(call) for call in (c.watch_my_trades(SYMBOL), c.watch_positions([SYMBOL]))]
            await asyncio.sleep(0.3)
            await c.create_order(SYMBOL, "market", "buy", 0.01)
            return await asyncio.gather(*watching)

        return [
            ("watch_order_book", lambda: c.watch_order_book(SYMBOL)),
            ("watch_bids_asks", lambda: c.watch_bids_asks([SYMBOL])),
            ("watch_mark_price", lambda: c.watch_mark_price(SYMBOL)),
            ("watch_orders", orders),
            ("watch_my_trades and positions", trades),
        ]

    def over_ws(self) -> list[Step]:
        c = self.client
        create = partial(c.create_order_ws, SYMBOL)
        return [
            ("create_order_ws", lambda: self.keep("ws", create("limit", "buy", 0.01, self.price(50)))),
            ("edit_order_ws", lambda: c.edit_order_ws(self.id("ws"), SYMBOL, "limit", "buy", 0.02, self.price(60))),
            ("fetch_order_ws", lambda: c.fetch_order_ws(self.id("ws"), SYMBOL)),
            ("cancel_order_ws", lambda: c.cancel_order_ws(self.id("ws"), SYMBOL)),
            ("fetch_balance_ws", c.fetch_balance_ws),
            ("fetch_positions_ws", lambda: c.fetch_positions_ws([SYMBOL])),
            ("fetch_order_book_ws", lambda: c.fetch_order_book_ws(SYMBOL, 5)),
        ]  # fmt: skip


@pytest.fixture
def venue(tmp_path: Path) -> Any:
    handle = spawn(VenueOptions(store=tmp_path / "venue", market="synthetic:7", idle_exit_s=60))
    yield handle
    handle.stop()


async def test_the_script_of_ccxt_calls_passes_without_an_unknown_path(venue: VenueHandle) -> None:
    client = exchange(venue)
    try:
        script = Script(client)
        steps = script.steps()
        assert len(steps) >= 64
        failed = {}
        for name, call in steps:
            try:
                answer = await asyncio.wait_for(call(), 15)
                assert answer is not None, name
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {error}"[:300]
        assert failed == {}
    finally:
        await client.close()
    summary = venue.summary()
    assert (summary["unknown_path_list"], summary["internal_errors"]) == ({}, [])
    assert venue.truth()["violations"] == []
    print(f"{len(steps)} calls, {summary['requests']} requests, 0 unknown paths")
