"""One drill per fault verb: the fault to arm, what a ccxt user then does, and what must come of it.

The script of a drill returns plain values; with the canonical journal they are the drill's trace.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from gridops.domain.values import value
from tests.venue.wire_client import Bench

SYMBOL = "BTC/USDT:USDT"
POST = {"method": "POST", "path": "/fapi/v1/order"}
NEWS = {"event": "ORDER_TRADE_UPDATE"}


class Play:
    """A venue with one ccxt client at it, and the short words the scripts are written in."""

    def __init__(self, venue: Bench, client: Any) -> None:
        self.venue, self.client = venue, client
        self.heard: list[dict[str, Any]] = []
        passed_on = client.handle_message

        def tap(socket: Any, message: Any) -> None:
            if isinstance(message, dict):
                self.heard.append(message)
            passed_on(socket, message)

        client.handle_message = tap

    async def arm(self, verb: str, **fault: Any) -> None:
        reply = await self.venue.control("fault", verb=verb, **fault)
        assert reply.status == 200, reply.text
        assert reply.json["failure"] is None, reply.text

    async def place(self, name: str, price: float = 59_000, amount: float = 0.01, **params: Any) -> Any:
        return await self.client.create_order(
            SYMBOL, "limit", "buy", amount, price, {"newClientOrderId": name, **params}
        )

    async def buy(self, amount: float = 0.1) -> Any:
        return await self.client.create_order(SYMBOL, "market", "buy", amount, None, {"newClientOrderId": "bought"})

    async def outcome(self, call: Awaitable[Any]) -> str:
        """ok, or the class of the refusal with the venue's code."""
        try:
            await call
        except Exception as error:
            text = str(error)
            code = text.partition('"code":')[2].partition(",")[0]
            return f"{type(error).__name__} {code}".strip()
        return "ok"

    async def open(self) -> list[str]:
        return [order["clientOrderId"] for order in await self.client.fetch_open_orders(SYMBOL)]

    def truly_open(self) -> list[str]:
        rows = self.venue.core.truth()["orders"]
        return [row["clientOrderId"] for row in rows if row["status"] in ("NEW", "PARTIALLY_FILLED")]

    async def listen(self) -> None:
        """Open the user stream."""
        self.watching = asyncio.create_task(self.client.watch_orders(SYMBOL))
        await asyncio.sleep(0.15)

    async def news(self, field: str = "c", wait_s: float = 0.15) -> list[Any]:
        """That field of every order event heard so far."""
        await asyncio.sleep(wait_s)
        return [event["o"].get(field) for event in self.heard if event.get("e") == "ORDER_TRADE_UPDATE"]

    async def stop_listening(self) -> None:
        if hasattr(self, "watching"):
            self.watching.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self.watching


Script = Callable[[Play], Awaitable[Any]]


@value
class Drill:
    """`expected` is what the script returns, every time."""

    fault: dict[str, Any]
    script: Script
    expected: Any


async def _place_once(play: Play) -> Any:
    return [await play.outcome(play.place("a")), play.truly_open()]


async def _impatient(play: Play) -> Any:
    play.client.timeout = 100
    return [await play.outcome(play.place("a")), play.truly_open()]


async def _narrow_window(play: Play) -> Any:
    play.client.options["recvWindow"] = 100
    return [await play.outcome(play.place("a")), play.truly_open()]


async def _three_open(play: Play) -> Any:
    for name in "abc":
        await play.place(name)
    return [await play.open(), play.truly_open()]


async def _shed(play: Play) -> Any:
    refused = await play.outcome(play.place("a"))
    await play.outcome(
        play.client.create_order(SYMBOL, "limit", "sell", 0.01, 61_000, {"reduceOnly": True, "newClientOrderId": "r"})
    )
    return [refused, await play.outcome(play.client.cancel_all_orders(SYMBOL))]


async def _banned(play: Play) -> Any:
    return [await play.outcome(play.client.fetch_time()), await play.outcome(play.client.cancel_all_orders(SYMBOL))]


async def _fill_after(play: Play) -> Any:
    order = await play.place("a")
    return [order["status"], (await play.client.fetch_order(order["id"], SYMBOL))["filled"]]


async def _fill_before_cancel(play: Play) -> Any:
    order = await play.place("a")
    gone = await play.outcome(play.client.cancel_order(order["id"], SYMBOL))
    return [gone, (await play.client.fetch_order(order["id"], SYMBOL))["status"]]


async def _forgotten(play: Play) -> Any:
    order = await play.place("a")
    first = await play.outcome(play.client.fetch_order(order["id"], SYMBOL))
    return [first, await play.open(), await play.open()]


async def _closed_for_work(play: Play) -> Any:
    await play.listen()
    await play.arm("venue.maintenance", for_ms=300)
    during = [await play.outcome(play.client.fetch_time()), await play.outcome(play.place("a"))]
    lost = await play.outcome(asyncio.wait_for(asyncio.shield(play.watching), 1))
    await asyncio.sleep(0.35)
    return [*during, lost, await play.outcome(play.client.fetch_time())]


def _stream(field: str = "c", wait_s: float = 0.15) -> Script:
    async def script(play: Play) -> Any:
        await play.listen()
        for name in "abc":
            await play.place(name)
        return await play.news(field, wait_s)

    return script


async def _deaf_subscription(play: Play) -> Any:
    return await play.outcome(asyncio.wait_for(play.client.watch_bids_asks([SYMBOL]), 0.4))


async def _muted_then_heard(play: Play) -> Any:
    await play.listen()
    await play.arm("ws.silent", target="user")
    await play.place("a")
    before = await play.news()
    await play.arm("ws.unmute", target="user")
    await play.place("b")
    return [before, await play.news()]


async def _half_open(play: Play) -> Any:
    await play.listen()
    await play.arm("ws.halfopen", target="user")
    await play.place("a")
    return [await play.news(), len(play.venue.floor.hub.connections("user"))]


async def _cut(play: Play) -> Any:
    await play.listen()
    await play.arm("ws.close", target="user", code=1001)
    return await play.outcome(asyncio.wait_for(asyncio.shield(play.watching), 1))


async def _short_lived(play: Play) -> Any:
    """The first socket ends a moment after it opened, the next one stays."""
    await play.listen()
    lost = await play.outcome(asyncio.wait_for(asyncio.shield(play.watching), 1))
    await play.listen()
    await play.place("a")
    return [lost, "ok" if await play.news() else "deaf"]


async def _flooded(play: Play) -> Any:
    await play.listen()
    await play.place("a")
    await play.news()
    await play.arm("ws.flood", target="user", count=40)
    return await play.news()


async def _key_gone(play: Play) -> Any:
    await play.listen()
    await play.arm("ws.expire_key")
    await play.place("a")
    told = await play.news()
    return [[event["e"] for event in play.heard if "e" in event], told]


async def _skewed(play: Play) -> Any:
    ahead = await play.client.fetch_time() - play.client.milliseconds()
    return [round(ahead / 1_000), await play.outcome(play.client.fetch_balance())]


async def _stepped(play: Play) -> Any:
    await play.arm("clock.step", ms=20_000)
    return await _skewed(play)


async def _standing(play: Play) -> Any:
    first = await play.client.fetch_time()
    await asyncio.sleep(0.1)
    second = await play.client.fetch_time()
    await play.arm("clock.resume")
    return [second - first, await play.client.fetch_time() - first >= 100]


async def _paused_market(play: Play) -> Any:
    counts = []
    for verb in ("market.pause", "market.resume"):
        await play.arm(verb)
        before = len(await play.client.fetch_trades(SYMBOL))
        await asyncio.sleep(0.15)
        counts.append(len(await play.client.fetch_trades(SYMBOL)) > before)
    return counts


def _other_hand(**args: Any) -> Script:
    async def script(play: Play) -> Any:
        await play.buy()
        await play.place("mine")
        await play.arm("venue.external", **args)
        positions = await play.client.fetch_positions([SYMBOL], {"useV2": True})
        held = positions[0]["contracts"] if positions else 0
        leverage = (await play.client.fetch_leverages([SYMBOL]))[SYMBOL]["longLeverage"]
        hedged = (await play.client.fetch_position_mode())["hedged"]
        income = {row["info"]["incomeType"] for row in await play.client.fetch_ledger()}
        return [await play.open(), held, leverage, hedged, "TRANSFER" in income]

    return script


async def _changed_mode(play: Play) -> Any:
    """An account that somebody has put into hedge mode: what fits no more, what does, and when it can be put back."""
    await play.arm("venue.external", what="mode", dual=True)
    modes = [(await play.client.fetch_position_mode())["hedged"]]
    told = [await play.outcome(play.place("a")), await play.outcome(play.place("b", positionSide="LONG"))]
    for side, position in (("buy", "LONG"), ("sell", "SHORT")):
        await play.client.create_order(
            SYMBOL, "market", side, 0.1, None, {"positionSide": position, "newClientOrderId": position}
        )
    held = [[row["side"], row["contracts"]] for row in await play.client.fetch_positions([SYMBOL], {"useV2": True})]
    back: dict[str, Any] = {"verb": "venue.external", "what": "mode", "dual": False}
    refused = [(await play.venue.control("fault", **back)).json["failure"]]
    await play.client.cancel_all_orders(SYMBOL)
    refused.append((await play.venue.control("fault", **back)).json["failure"])
    await play.arm("venue.external", what="close")
    await play.arm("venue.external", what="close")
    await play.arm(**back)
    modes.append((await play.client.fetch_position_mode())["hedged"])
    return [modes, told, held, [text[:5] for text in refused], await play.outcome(play.place("c"))]


async def _forced(play: Play) -> Any:
    forced = await play.client.fapiPrivateGetForceOrders({"symbol": "BTCUSDT"})
    positions = await play.client.fetch_positions([SYMBOL])
    names = [row["clientOrderId"].split("-")[0] for row in forced]
    return [names, positions[0]["contracts"] if positions else 0]


async def _liquidated(play: Play) -> Any:
    await play.buy()
    await play.arm("venue.liquidate")
    return await _forced(play)


async def _deleveraged(play: Play) -> Any:
    await play.buy()
    await play.arm("venue.adl", lots=40)
    return await _forced(play)


async def _funded(play: Play) -> Any:
    await play.buy()
    await play.arm("venue.funding", rate="0.01")
    return [row["amount"] for row in await play.client.fetch_funding_history(SYMBOL)]


async def _ruled(play: Play) -> Any:
    return [await play.outcome(play.place("a")), await play.outcome(play.place("b", 59_001))]


async def _halted(play: Play) -> Any:
    markets = await play.client.load_markets(True)
    return [await play.outcome(play.place("a")), markets[SYMBOL]["info"]["status"]]


async def _mark_path(play: Play) -> Any:
    seen = []
    for _ in range(2):
        seen.append((await play.client.fetch_funding_rate(SYMBOL))["markPrice"])
        await asyncio.sleep(0.2)
    return seen


async def _book_shape(play: Play) -> Any:
    shown = []
    for _ in range(2):
        book = await play.client.fetch_order_book(SYMBOL, 5)
        bids, asks = book["bids"], book["asks"]
        shown.append([len(bids), bids[0][1] if bids else 0, bool(bids and asks and bids[0][0] > asks[0][0])])
        await asyncio.sleep(0.25)
    return shown


async def seeded(play: Play) -> Any:
    return [await play.outcome(play.client.fetch_time()) for _ in range(24)]


def _fault(verb: str, **rest: Any) -> dict[str, Any]:
    return {"verb": verb, **rest}


NOTHING: dict[str, Any] = {}
UNKNOWN = "OperationFailed -1000"
DRILLS: dict[str, Drill] = {
    "rest.http": Drill(
        _fault("rest.http", selector=POST, body="Service Unavailable."), _place_once, ["ExchangeNotAvailable", []]
    ),
    "rest.apply_then_http": Drill(_fault("rest.apply_then_http", selector=POST), _place_once, [UNKNOWN, ["a"]]),
    "rest.delay": Drill(_fault("rest.delay", selector=POST, ms=250), _narrow_window, ["InvalidNonce -1021", []]),
    "rest.delay_resp": Drill(_fault("rest.delay_resp", selector=POST, ms=250), _impatient, ["RequestTimeout", ["a"]]),
    "rest.drop_req": Drill(_fault("rest.drop_req", selector=POST), _place_once, ["ExchangeNotAvailable", []]),
    "rest.drop_resp": Drill(_fault("rest.drop_resp", selector=POST), _place_once, ["ExchangeNotAvailable", ["a"]]),
    "rest.html": Drill(_fault("rest.html", selector=POST, status=502), _place_once, ["ExchangeNotAvailable", []]),
    "rest.trunc": Drill(_fault("rest.trunc", selector=POST, bytes=9), _place_once, ["ok", ["a"]]),
    "rest.overload": Drill(_fault("rest.overload"), _shed, ["ExchangeError -1008", "ok"]),
    "rest.ban": Drill(_fault("rest.ban", ms=60_000), _banned, ["DDoSProtection -1003"] * 2),
    "rest.stale_read": Drill(
        _fault("rest.stale_read", selector={"path": "/fapi/v1/openOrders"}, lag_ms=60_000),
        _three_open,
        [[], list("abc")],
    ),
    "rest.partial": Drill(
        _fault("rest.partial", selector={"path": "/fapi/v1/openOrders"}, rows=1), _three_open, [["a"], list("abc")]
    ),
    "rest.mutate": Drill(
        _fault("rest.mutate", selector={"path": "/fapi/v1/openOrders"}, field="1.clientOrderId", value="?"),
        _three_open,
        [["a", "?", "c"], list("abc")],
    ),
    "venue.reject": Drill(_fault("venue.reject", selector=POST, code=-2019), _place_once, ["ExchangeError -2019", []]),
    "venue.fill": Drill(_fault("venue.fill", selector=POST, lots=4), _fill_after, ["open", 0.004]),
    "venue.fill before": Drill(
        _fault("venue.fill", selector={"method": "DELETE"}, point="before"),
        _fill_before_cancel,
        ["OrderNotFound -2011", "closed"],
    ),
    "venue.forget": Drill(
        _fault("venue.forget", selector={"method": "GET"}, client_id="a", n=2),
        _forgotten,
        ["OrderNotFound -2013", [], ["a"]],
    ),
    "venue.maintenance": Drill(
        NOTHING,
        _closed_for_work,
        ["BadRequest -1016", "BadRequest -1016", "NetworkError", "ok"],
    ),
    "ws.drop": Drill(_fault("ws.drop", selector={**NEWS, "nth": 2}), _stream(), ["a", "c"]),
    "ws.dup": Drill(_fault("ws.dup", selector={**NEWS, "nth": 2}), _stream(), ["a", "b", "b", "c"]),
    "ws.delay": Drill(_fault("ws.delay", selector={**NEWS, "nth": 1}, ms=200), _stream(wait_s=0.4), ["b", "c", "a"]),
    "ws.reorder": Drill(_fault("ws.reorder", selector={**NEWS, "nth": 1}), _stream(), ["b", "a", "c"]),
    "ws.mutate": Drill(
        _fault("ws.mutate", selector={**NEWS, "nth": 2}, field="o.q", value="9"), _stream("q"), ["0.010", "9", "0.010"]
    ),
    "ws.ack_no_data": Drill(
        _fault("ws.ack_no_data", selector={"stream": "btcusdt@bookTicker"}), _deaf_subscription, "TimeoutError"
    ),
    "ws.cut": Drill(_fault("ws.cut", selector={"channel": "user"}, ms=50, n=1), _short_lived, ["NetworkError", "ok"]),
    "ws.silent": Drill(NOTHING, _muted_then_heard, [[], ["b"]]),
    "ws.halfopen": Drill(NOTHING, _half_open, [[], 1]),
    "ws.close": Drill(NOTHING, _cut, "NetworkError"),
    "ws.flood": Drill(NOTHING, _flooded, ["a"] * 41),
    "ws.expire_key": Drill(NOTHING, _key_gone, [["listenKeyExpired"], []]),
    "clock.skew": Drill(_fault("clock.skew", ms=30_000), _skewed, [30, "InvalidNonce -1021"]),
    "clock.step": Drill(_fault("clock.step", ms=20_000), _stepped, [40, "InvalidNonce -1021"]),
    "clock.pause": Drill(_fault("clock.pause"), _standing, [0, True]),
    "market.pause": Drill(NOTHING, _paused_market, [False, True]),
    "venue.external order": Drill(
        NOTHING,
        _other_hand(what="order", side="BUY", quantity="0.02", price="58000", client_id="web_x"),
        [["mine", "web_x"], 0.1, 20, False, False],
    ),
    "venue.external close": Drill(NOTHING, _other_hand(what="close"), [["mine"], 0, 20, False, False]),
    "venue.external cancel": Drill(NOTHING, _other_hand(what="cancel"), [[], 0.1, 20, False, False]),
    "venue.external transfer": Drill(
        NOTHING, _other_hand(what="transfer", amount="-50"), [["mine"], 0.1, 20, False, True]
    ),
    "venue.external leverage": Drill(
        NOTHING, _other_hand(what="leverage", leverage=3), [["mine"], 0.1, 3, False, False]
    ),
    "venue.external mode": Drill(
        NOTHING,
        _changed_mode,
        [
            [True, False],
            ["OperationRejected -4061", "ok"],
            [["long", 0.1], ["short", 0.1]],
            ["-4067", "-4068"],
            "ok",
        ],
    ),
    "venue.liquidate": Drill(NOTHING, _liquidated, [["autoclose"], 0]),
    "venue.adl": Drill(NOTHING, _deleveraged, [["adl_autoclose"], 0.06]),
    "venue.funding": Drill(NOTHING, _funded, [-60.0]),
    "venue.filter": Drill(_fault("venue.filter", name="tick_size", value="2"), _ruled, ["ok", "BadRequest -4014"]),
    "venue.status": Drill(_fault("venue.status", state="SETTLING"), _halted, ["ExchangeError -4140", "SETTLING"]),
    "venue.mark": Drill(_fault("venue.mark", path=[[0, "59500"], [150, "59400"]]), _mark_path, [59_500, 59_400]),
    "venue.book empty": Drill(
        _fault("venue.book", shape="empty", for_ms=200), _book_shape, [[0, 0, False], [5, 1, False]]
    ),
    "venue.book thin": Drill(
        _fault("venue.book", shape="thin", for_ms=200), _book_shape, [[5, 0.001, False], [5, 1, False]]
    ),
    "venue.book crossed": Drill(
        _fault("venue.book", shape="crossed", for_ms=200), _book_shape, [[5, 0.001, True], [5, 1, False]]
    ),
}
