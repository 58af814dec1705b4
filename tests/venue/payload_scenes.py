"""One scripted day at the real venue emulator over real sockets; every answer and event is kept under its kind.

Kinds are named as the shared index of payloads names them: `METHOD /path`, the event with its execution and status,
the ws-api method in snake case. Nothing is judged here.
"""

import asyncio
import json
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
from gridops.venue.core import Fidelity, VenueCore
from gridops.venue.market.events import BookSnapshot, MarketTrade, MarkPrice, SymbolSpec
from gridops.venue.server import derived
from gridops.venue.server.auth import signature_of, ws_payloads
from gridops.venue.server.clock import RealClock
from tests.venue.core_kit import BTC
from tests.venue.wire_client import KEY, SECRET, Bench, bench
from tests.venue.wire_stub import ListMarket

Kept = dict[str, list[Any]]
PUBLIC = ("btcusdt@depth@100ms", "btcusdt@depth5@100ms", "btcusdt@bookTicker", "!bookTicker", "btcusdt@trade")
MARKET = (
    "btcusdt@aggTrade", "btcusdt@markPrice@1s", "!markPrice@arr@1s", "btcusdt@miniTicker", "!miniTicker@arr",
    "btcusdt@ticker", "!ticker@arr", "btcusdt@kline_1m", "btcusdt_perpetual@continuousKline_1m",
    "btcusdt@forceOrder", "!forceOrder@arr", "!contractInfo",
)  # fmt: skip
READS: tuple[tuple[str, dict[str, str]], ...] = (
    ("v1/time", {}), ("v1/exchangeInfo", {}), ("v1/depth", {"symbol": "BTCUSDT", "limit": "5"}),
    ("v1/trades", {"symbol": "BTCUSDT"}), ("v1/aggTrades", {"symbol": "BTCUSDT"}),
    ("v1/klines", {"symbol": "BTCUSDT", "interval": "1m"}),
    ("v1/continuousKlines", {"pair": "BTCUSDT", "contractType": "PERPETUAL", "interval": "1m"}),
    ("v1/markPriceKlines", {"symbol": "BTCUSDT", "interval": "1m"}),
    ("v1/indexPriceKlines", {"pair": "BTCUSDT", "interval": "1m"}),
    ("v1/premiumIndexKlines", {"symbol": "BTCUSDT", "interval": "1m"}),
    ("v1/premiumIndex", {"symbol": "BTCUSDT"}), ("v1/premiumIndex", {}), ("v1/fundingRate", {}),
    ("v1/fundingInfo", {}), ("v1/ticker/24hr", {"symbol": "BTCUSDT"}), ("v1/ticker/24hr", {}),
    ("v1/ticker/price", {"symbol": "BTCUSDT"}), ("v1/ticker/price", {}), ("v2/ticker/price", {"symbol": "BTCUSDT"}),
    ("v2/ticker/price", {}), ("v1/ticker/bookTicker", {"symbol": "BTCUSDT"}), ("v1/ticker/bookTicker", {}),
)  # fmt: skip
OWN: tuple[tuple[str, dict[str, str]], ...] = (
    ("v1/openOrders", {"symbol": "BTCUSDT"}), ("v1/allOrders", {"symbol": "BTCUSDT"}),
    ("v1/userTrades", {"symbol": "BTCUSDT"}), ("v1/income", {}), ("v1/openAlgoOrders", {}),
    ("v1/allAlgoOrders", {"symbol": "BTCUSDT"}), ("v1/accountConfig", {}), ("v1/symbolConfig", {}),
    ("v1/commissionRate", {"symbol": "BTCUSDT"}), ("v1/leverageBracket", {}), ("v1/multiAssetsMargin", {}),
    ("v1/positionSide/dual", {}), ("v1/rateLimit/order", {}), ("v1/apiTradingStatus", {}), ("v1/feeBurn", {}),
    ("v2/account", {}), ("v3/account", {}), ("v2/balance", {}), ("v3/balance", {}),
    ("v2/positionRisk", {}), ("v3/positionRisk", {}),
)  # fmt: skip


@asynccontextmanager
async def live_venue(
    fidelity: Fidelity | None = None,
    spec: SymbolSpec = BTC,
    market: ListMarket | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Bench]:
    """The whole venue in this process: real core behind the real server, one account with 10,000 USDT."""
    clock = RealClock()
    core = VenueCore(symbols=(spec,), start_ms=clock.now_ms(), seed=7, fidelity=fidelity or Fidelity())
    core.add_account("acc", api_key=KEY, api_secret=SECRET, wallet={"USDT": Decimal(10_000), "BNB": Decimal(2)})
    async with bench(core, clock=clock, market=market, tls=tls) as venue:
        state_book(venue)
        yield venue


def state_book(venue: Bench, mid: int = 600_000) -> None:
    """Ten levels a side around a mid price in ticks, and a mark at it."""
    now = venue.core.now_ms
    bids, asks = [(mid - 1 - i, 1_000) for i in range(10)], [(mid + i, 1_000) for i in range(10)]
    venue.core.apply(BookSnapshot(now, "BTCUSDT", tuple(bids), tuple(asks)))
    price = Decimal(mid) / 10
    venue.core.apply(MarkPrice(now, "BTCUSDT", price, price + 1, Decimal("0.0001"), now + 3_600_000))
    venue.core.apply(MarketTrade(now, "BTCUSDT", mid, 5, True))
    venue.floor.publish()


class Listener:
    """One socket whose messages are kept as they come."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[Any] = []
        self._task = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.heard.append(json.loads(message.data))

    async def close(self) -> None:
        await self.socket.close()
        await self._task


async def whole_day() -> Kept:
    """Run the script and return what was said, by kind."""
    kept: Kept = defaultdict(list)
    async with live_venue(Fidelity(slim_replies=False)) as venue:
        day = _Day(venue, kept)
        await day.run()
    async with live_venue(Fidelity(older_conditionals=True)) as venue:
        await _older_stops(venue, kept)
    async with live_venue() as venue:
        await _margins(venue, kept)
    return kept


class _Day:
    def __init__(self, venue: Bench, kept: Kept) -> None:
        self.venue, self.kept = venue, kept

    async def rest(self, method: str, path: str, **params: Any) -> Any:
        reply = await self.venue.signed(method, f"/fapi/{path}", **params)
        assert reply.status == 200, (method, path, reply.text)
        self.kept[f"{method} /fapi/{path}"].append(reply.json)
        return reply.json

    async def place(self, quantity: str, price: str | None, **more: Any) -> Any:
        shape = {"type": "LIMIT", "timeInForce": "GTC", "price": price} if price else {"type": "MARKET"}
        asked = {"symbol": "BTCUSDT", "side": "BUY", "quantity": quantity, "newOrderRespType": "RESULT", **shape}
        return await self.rest("POST", "v1/order", **(asked | more))

    async def run(self) -> None:
        venue, session = self.venue, self.venue.session
        key = (await self.rest("POST", "v1/listenKey"))["listenKey"]
        await self.rest("PUT", "v1/listenKey")
        user = Listener(await session.ws_connect(f"{venue.ws}/private/ws?listenKey={key}"))
        streams = [
            Listener(await session.ws_connect(f"{venue.ws}/public/stream?streams={'/'.join(PUBLIC)}")),
            Listener(await session.ws_connect(f"{venue.ws}/market/stream?streams={'/'.join(MARKET)}")),
        ]
        await self.orders()
        await self.conditionals()
        await self.ws_api()
        await self.reads()
        await self.settings_and_money()
        derived.publish(venue.floor)
        await asyncio.sleep(0.25)
        await self.ruin()
        for each in [user, *streams]:
            await each.close()
        for event in user.heard:
            self.kept[_user_kind(event)].append(event)
        for message in (heard for each in streams for heard in each.heard):
            self.kept[_market_kind(message["data"])].append(message)

    async def orders(self) -> None:
        resting = await self.place("0.010", "59000.0", timeInForce="GTX")
        order = {"symbol": "BTCUSDT", "orderId": resting["orderId"]}
        await self.rest("PUT", "v1/order", **order, side="BUY", quantity="0.010", price="59001.0", modifyId=5)
        await self.rest("GET", "v1/orderAmendment", **order)
        await self.rest("GET", "v1/order", **order)
        await self.rest("GET", "v1/openOrder", **order)
        await self.rest("DELETE", "v1/order", **order)
        test = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        await self.rest("POST", "v1/order/test", **test)
        legs = [self.leg("0.010", "59000.0"), self.leg("0.001", "59000.0"), self.leg("0.010", "58900.0")]
        made = await self.rest("POST", "v1/batchOrders", batchOrders=json.dumps(legs))
        changes = [
            {"symbol": "BTCUSDT", "side": "BUY", "orderId": str(row["orderId"]), "quantity": "0.011", "price": "58950"}
            for row in made
            if "orderId" in row
        ]
        await self.rest("PUT", "v1/batchOrders", batchOrders=json.dumps([*changes, changes[0]]))
        ids = [int(change["orderId"]) for change in changes]
        await self.rest("DELETE", "v1/batchOrders", symbol="BTCUSDT", orderIdList=json.dumps([ids[0], 1]))
        await self.rest("POST", "v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=100_000)
        await self.rest("DELETE", "v1/allOpenOrders", symbol="BTCUSDT")
        await self.place("0.100", None)
        await self.place("0.010", "59000.0")

    @staticmethod
    def leg(quantity: str, price: str) -> dict[str, str]:
        return {
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity,
            "price": price,
        }  # fmt: skip

    async def conditionals(self) -> None:
        asked = {
            "algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "TAKE_PROFIT", "quantity": "0.010",
            "price": "66000", "triggerPrice": "65000",
        }  # fmt: skip
        made = await self.rest("POST", "v1/algoOrder", **asked)
        await self.rest("GET", "v1/algoOrder", algoId=made["algoId"])
        await self.rest("DELETE", "v1/algoOrder", algoId=made["algoId"])
        await self.rest("POST", "v1/algoOrder", **asked)
        await self.rest("GET", "v1/openAlgoOrders")
        await self.rest("DELETE", "v1/algoOpenOrders", symbol="BTCUSDT")
        await self.rest("POST", "v1/algoOrder", **asked)

    async def ws_api(self) -> None:
        socket = await self.venue.session.ws_connect(f"{self.venue.ws}/ws-fapi/v1")
        limit = self.leg("0.010", "59000.0")
        placed = await self.ask(socket, "order.place", ("new_order", "place_order"), limit)
        order = {"symbol": "BTCUSDT", "orderId": placed["result"]["orderId"]}
        change = order | {"side": "BUY", "quantity": "0.011", "price": "59000.0", "modifyId": 7}
        await self.ask(socket, "order.modify", ("modify_order", "edit_order"), change)
        await self.ask(socket, "order.status", ("query_order", "get_order"), order)
        await self.ask(socket, "order.cancel", ("cancel_order",), order)
        stop = {
            "algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP", "quantity": "0.010",
            "price": "49000", "triggerPrice": "50000",
        }  # fmt: skip
        made = await self.ask(socket, "algoOrder.place", ("new_algo_order", "place_conditional_order"), stop)
        gone = {"algoId": made["result"]["algoId"]}
        await self.ask(socket, "algoOrder.cancel", ("cancel_algo_order", "cancel_conditional_order"), gone)
        await self.ask(socket, "account.status", ("account_information", "get_account_info"), {})
        await self.ask(socket, "v2/account.status", ("account_information_v2", "get_account_info"), {})
        await self.ask(socket, "account.balance", ("futures_account_balance", "get_balances"), {})
        await self.ask(socket, "v2/account.balance", ("futures_account_balance_v2", "get_balances"), {})
        await self.ask(socket, "account.position", ("position_information",), {})
        await self.ask(socket, "v2/account.position", ("position_information_v2", "get_positions"), {})
        await self.ask(socket, "depth", ("order_book", "get_order_book"), {"symbol": "BTCUSDT"})
        await self.ask(socket, "ticker.price", ("symbol_price_ticker", "get_prices"), {})
        await self.ask(socket, "ticker.book", ("symbol_order_book_ticker",), {"symbol": "BTCUSDT"})
        await self.ask(socket, "ticker.book", ("symbol_order_book_ticker", "get_book_prices"), {})
        await self.ask(socket, "userDataStream.start", ("start_user_data_stream",), {})
        await self.ask(socket, "userDataStream.ping", ("keepalive_user_data_stream",), {})
        await socket.close()

    async def ask(self, socket: Any, method: str, kinds: tuple[str, ...], params: dict[str, Any]) -> Any:
        texts = {name: str(held) for name, held in params.items()} | {
            "apiKey": KEY, "timestamp": str(int(time.time() * 1_000))
        }  # fmt: skip
        sent = {"id": "one", "method": method, "params": texts}
        texts["signature"] = signature_of(SECRET, ws_payloads(texts)[0])
        await socket.send_json(sent)
        reply = json.loads((await socket.receive(5)).data)
        assert reply["status"] == 200, reply
        for kind in kinds:
            self.kept[kind].append(reply)
        return reply

    async def reads(self) -> None:
        for path, params in READS:
            reply = await self.venue.raw("GET", f"/fapi/{path}?" + "&".join(f"{k}={v}" for k, v in params.items()))
            assert reply.status == 200, (path, reply.text)
            self.kept[f"GET /fapi/{path}"].append(reply.json)
        for path, params in OWN:
            await self.rest("GET", path, **params)
        refused = await self.venue.raw("GET", "/fapi/v1/depth?symbol=NOPE")
        self.kept["-1121"].append(refused.json)
        refused = await self.venue.raw("GET", "/fapi/v1/openOrders", headers={"X-MBX-APIKEY": "short"})
        self.kept["-2014"].append(refused.json)

    async def settings_and_money(self) -> None:
        await self.rest("POST", "v1/leverage", symbol="BTCUSDT", leverage=10)
        await self.rest("POST", "v1/feeBurn", feeBurn="true")
        core = self.venue.core
        core.transfer("acc", "USDT", Decimal(5))
        core.advance(core.now_ms + 3_600_000)
        await self.venue.control("symbol_status", symbol="BTCUSDT", status="SETTLING")
        await self.venue.control("symbol_status", symbol="BTCUSDT", status="TRADING")
        await self.rest("GET", "v1/fundingRate")
        await self.rest("GET", "v1/income")

    async def ruin(self) -> None:
        """A position that the market runs over: margin call, then liquidation, then the key's end."""
        core = self.venue.core
        money = Decimal(core.truth()["accounts"]["acc"]["wallet"]["USDT"])
        core.transfer("acc", "USDT", Decimal(650) - money)
        for mark in ("53745", "52000"):
            core.apply(MarkPrice(core.now_ms, "BTCUSDT", Decimal(mark), Decimal(mark), Decimal("0.0001"), 0))
        self.venue.floor.publish()
        await self.rest("GET", "v1/forceOrders")
        await self.venue.control("fault", verb="expire_key")
        await asyncio.sleep(0.1)


async def _older_stops(venue: Bench, kept: Kept) -> None:
    """Conditional orders of the older kind: trailing ones everywhere, a stop whose fill-or-kill cannot fill."""
    core, day = venue.core, _Day(venue, kept)
    key = (await day.rest("POST", "v1/listenKey"))["listenKey"]
    user = Listener(await venue.session.ws_connect(f"{venue.ws}/private/ws?listenKey={key}"))
    trailing = {
        "symbol": "BTCUSDT", "side": "SELL", "type": "TRAILING_STOP_MARKET", "quantity": "0.010", "callbackRate": "1",
        "activationPrice": "70000",
    }  # fmt: skip
    held = await day.rest("POST", "v1/order", **trailing)
    order = {"symbol": "BTCUSDT", "orderId": held["orderId"]}
    for path in ("v1/order", "v1/openOrder"):
        await day.rest("GET", path, **order)
    for path in ("v1/openOrders", "v1/allOrders"):
        await day.rest("GET", path, symbol="BTCUSDT")
    socket = await venue.session.ws_connect(f"{venue.ws}/ws-fapi/v1")
    await day.ask(socket, "order.status", ("query_order", "get_order"), order)
    await day.ask(socket, "order.cancel", ("cancel_order",), order)
    await socket.close()
    again = await day.rest("POST", "v1/order", **trailing)
    await day.rest("DELETE", "v1/order", symbol="BTCUSDT", orderId=again["orderId"])
    await day.rest("POST", "v1/order/test", **trailing)
    made = await day.rest("POST", "v1/batchOrders", batchOrders=json.dumps([trailing]))
    await day.rest("DELETE", "v1/batchOrders", symbol="BTCUSDT", orderIdList=json.dumps([made[0]["orderId"]]))
    await day.rest("POST", "v1/leverage", symbol="BTCUSDT", leverage=1)
    await day.rest(
        "POST", "v1/order", symbol="BTCUSDT", side="BUY", type="STOP", quantity="900", price="60500",
        stopPrice="60400", timeInForce="FOK",
    )  # fmt: skip
    core.transfer("acc", "USDT", Decimal(10**8))
    core.apply(MarketTrade(core.now_ms, "BTCUSDT", 604_000, 5, False))
    venue.floor.publish()
    await asyncio.sleep(0.05)
    await user.close()
    for event in user.heard:
        kept[_user_kind(event)].append(event)


async def _margins(venue: Bench, kept: Kept) -> None:
    """Both sides of hedge mode with margins of their own: margin moved by hand, funding paid out of it."""
    core, day = venue.core, _Day(venue, kept)
    key = (await day.rest("POST", "v1/listenKey"))["listenKey"]
    user = Listener(await venue.session.ws_connect(f"{venue.ws}/private/ws?listenKey={key}"))
    await day.rest("POST", "v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    await day.rest("POST", "v1/positionSide/dual", dualSidePosition="true")
    for side, position in (("BUY", "LONG"), ("SELL", "SHORT")):
        await day.place("0.010", None, side=side, positionSide=position)
        moved = {"symbol": "BTCUSDT", "positionSide": position, "amount": "23.36332311", "type": 1}
        await day.rest("POST", "v1/positionMargin", **moved)
    await day.rest("GET", "v1/positionMargin/history", symbol="BTCUSDT")
    for path in ("v2/positionRisk", "v3/positionRisk", "v2/account", "v3/account"):
        await day.rest("GET", path)
    core.advance(core.now_ms + 3_600_000)
    venue.floor.publish()
    await asyncio.sleep(0.05)
    await user.close()
    for event in user.heard:
        kept[_user_kind(event)].append(event)


def _user_kind(event: dict[str, Any]) -> str:
    match event["e"]:
        case "ORDER_TRADE_UPDATE":
            return f"{event['e']}.{event['o']['x']}.{event['o']['X']}"
        case "ACCOUNT_UPDATE":
            return f"{event['e']}.{event['a']['m']}"
        case "ALGO_UPDATE":
            return f"{event['e']}.{event['o']['X']}"
        case "ACCOUNT_CONFIG_UPDATE":
            return f"{event['e']}.{'leverage' if 'ac' in event else 'multi_asset'}"
        case kind:
            return str(kind)


def _market_kind(data: Any) -> str:
    return str((data[0] if isinstance(data, list) else data)["e"])
