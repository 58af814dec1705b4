"""Stream sockets: subscriptions by class, U/u/pu chains per speed, listen keys, pings, bounded queues."""

import asyncio
import itertools
import json
import random
from typing import Any

import aiohttp
import pytest
from gridops.venue.errors import VenueError
from gridops.venue.server.connection import SocketRules
from gridops.venue.server.depth_windows import DepthWindows
from gridops.venue.server.listen_key import LIFE_MS, ListenKeys
from tests.venue.wire_client import KEY, Bench, bench
from tests.venue.wire_stub import diff

Socket = aiohttp.ClientWebSocketResponse


async def ask(socket: Socket, method: str, *streams: str, frame_id: Any = 1) -> Any:
    await socket.send_json({"method": method, "params": list(streams), "id": frame_id})
    return json.loads((await socket.receive(5)).data)


async def heard(socket: Socket, within_s: float = 5) -> Any:
    return json.loads((await socket.receive(within_s)).data)


async def test_subscribe_list_and_unsubscribe_are_acknowledged() -> None:
    async with bench() as venue, venue.session.ws_connect(venue.ws + "/public/ws/1") as socket:
        assert await ask(socket, "SUBSCRIBE", "btcusdt@depth@0ms", "btcusdt@trade") == {"result": None, "id": 1}
        assert (await ask(socket, "LIST_SUBSCRIPTIONS", frame_id=2))["result"] == ["btcusdt@depth@0ms", "btcusdt@trade"]
        assert await ask(socket, "UNSUBSCRIBE", "btcusdt@trade", frame_id="3") == {"result": None, "id": "3"}
        venue.core.emit("btcusdt@trade", {"e": "trade", "E": 1})
        venue.core.emit("btcusdt@depth@0ms", diff(5, 4, 1, "1.0", "2"))
        venue.floor.publish()
        assert (await heard(socket))["e"] == "depthUpdate"


@pytest.mark.parametrize(
    ("face", "stream"), [("public", "btcusdt@aggTrade"), ("market", "btcusdt@trade"), ("public", "x")]
)
async def test_a_stream_of_the_other_class_is_refused_aloud(face: str, stream: str) -> None:
    async with bench() as venue, venue.session.ws_connect(f"{venue.ws}/{face}/ws") as socket:
        assert (await ask(socket, "SUBSCRIBE", stream))["error"]["code"] == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"method":"X"}', '{"method":"SUBSCRIBE","params":5}', "\x00", '{"id":[1]}']
)
async def test_malformed_frames_get_an_error_and_the_socket_lives(text: str) -> None:
    async with bench() as venue, venue.session.ws_connect(venue.ws + "/market/ws") as socket:
        await socket.send_str(text)
        assert "error" in await heard(socket)
        assert await ask(socket, "SUBSCRIBE", "btcusdt@markPrice@1s") == {"result": None, "id": 1}


def test_slow_depth_merges_windows_and_chains_per_stream() -> None:
    windows = DepthWindows()
    fast, slow = "btcusdt@depth@100ms", "btcusdt@depth@500ms"
    windows.watch(fast)
    windows.watch(slow)
    sent: dict[str, list[dict[str, Any]]] = {fast: [], slow: []}
    book: dict[str, str] = {}
    for number in range(1, 61):
        at_ms = 1_000 + number * 37
        for stream, merged in windows.take(at_ms):
            sent[stream].append(merged)
        level = f"{100 + number % 7}.0"
        book[level] = str(number)
        windows.add("btcusdt@depth@0ms", diff(number * 10, number * 10 - 10, at_ms, level, str(number)), at_ms)
    for stream, merged in windows.take(10_000):
        sent[stream].append(merged)
    for events in sent.values():
        assert all(b["pu"] == a["u"] for a, b in itertools.pairwise(events))
        assert all(e["U"] <= e["u"] for e in events)
        assert (events[0]["U"], events[0]["pu"], events[-1]["u"]) == (1, 0, 600)
        rebuilt: dict[str, str] = {}
        for event in events:
            rebuilt.update(event["b"])
        assert rebuilt == book
    assert len(sent[fast]) > 3 * len(sent[slow]) > 9
    assert windows.take(20_000) == []


async def test_slow_depth_reaches_its_listener_by_the_clock_alone() -> None:
    async with bench() as venue, venue.session.ws_connect(venue.ws + "/public/ws/1") as socket:
        await ask(socket, "SUBSCRIBE", "btcusdt@depth@100ms")
        now_ms = venue.floor.clock.now_ms()
        venue.core.emit("btcusdt@depth@0ms", diff(5, 4, now_ms, "1.0", "2"))
        venue.core.emit("btcusdt@depth@0ms", diff(6, 5, now_ms, "1.0", "0"))
        venue.floor.publish()
        merged = await heard(socket)
        assert (merged["U"], merged["u"], merged["pu"], merged["b"]) == (5, 6, 4, [["1.0", "0"]])


async def listen_key(venue: Bench, method: str = "POST") -> Any:
    return (await venue.raw(method, "/fapi/v1/listenKey", "", {"X-MBX-APIKEY": KEY})).json


async def test_the_private_stream_hears_its_account_through_its_key() -> None:
    async with bench() as venue:
        key = (await listen_key(venue))["listenKey"]
        assert (await listen_key(venue))["listenKey"] == key
        async with venue.session.ws_connect(f"{venue.ws}/private/ws?listenKey={key}") as socket:
            await venue.signed("POST", "/fapi/v1/order", in_body=True, symbol="BTCUSDT", side="BUY", type="LIMIT")
            assert (await heard(socket))["e"] == "ORDER_TRADE_UPDATE"
            venue.core.emit("private:someone_else", {"e": "ACCOUNT_UPDATE"})
            venue.core.emit("private:acc", {"e": "MARGIN_CALL"})
            venue.floor.publish()
            assert (await heard(socket))["e"] == "MARGIN_CALL"


async def test_the_event_arrives_before_the_reply_and_a_delay_turns_it_round() -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"}
    async with bench() as venue:
        key = (await listen_key(venue))["listenKey"]
        async with venue.session.ws_connect(f"{venue.ws}/private/ws?listenKey={key}") as socket:
            for delayed in (False, True):
                if delayed:
                    await venue.control("fault", verb="ws.delay", ms=100, selector={"event": "ORDER_TRADE_UPDATE"})
                came: list[str] = []
                event = asyncio.create_task(heard(socket))
                event.add_done_callback(lambda _done, came=came: came.append("event"))  # type: ignore[misc]
                reply = asyncio.create_task(venue.signed("POST", "/fapi/v1/order", in_body=True, **order))
                reply.add_done_callback(lambda _done, came=came: came.append("reply"))  # type: ignore[misc]
                await asyncio.gather(event, reply)
                await asyncio.sleep(0)
                assert came == (["reply", "event"] if delayed else ["event", "reply"])


async def test_both_orders_of_event_and_reply_happen_when_chance_decides() -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"}

    async def run() -> list[str]:
        chance, first = random.Random(3), []
        async with bench() as venue:
            key = (await listen_key(venue))["listenKey"]
            venue.floor.events_first = lambda: chance.random() < 0.5
            async with venue.session.ws_connect(f"{venue.ws}/private/ws?listenKey={key}") as socket:
                for _ in range(12):
                    event = asyncio.create_task(heard(socket))
                    reply = asyncio.create_task(venue.signed("POST", "/fapi/v1/order", in_body=True, **order))
                    await asyncio.wait({event, reply}, return_when=asyncio.FIRST_COMPLETED)
                    first.append("event" if event.done() else "reply")
                    await asyncio.gather(event, reply)
        return first

    chance = random.Random(3)
    assert await run() == ["event" if chance.random() < 0.5 else "reply" for _ in range(12)]


async def test_a_dead_key_connects_and_hears_nothing_and_put_says_1125() -> None:
    async with bench() as venue, venue.session.ws_connect(f"{venue.ws}/private/ws?listenKey=dead") as socket:
        assert (await listen_key(venue, "PUT"))["code"] == -1125
        venue.core.emit("private:acc", {"e": "MARGIN_CALL"})
        venue.floor.publish()
        with pytest.raises(asyncio.TimeoutError):
            await heard(socket, 0.2)


async def test_an_expired_key_says_so_and_then_nothing_more_comes() -> None:
    async with bench() as venue:
        key = (await listen_key(venue))["listenKey"]
        async with venue.session.ws_connect(f"{venue.ws}/private/ws?listenKey={key}") as socket:
            await venue.control("fault", verb="ws.expire_key")
            gone = await heard(socket)
            assert (gone["e"], gone["listenKey"]) == ("listenKeyExpired", key)
            venue.core.emit("private:acc", {"e": "MARGIN_CALL"})
            venue.floor.publish()
            with pytest.raises(asyncio.TimeoutError):
                await heard(socket, 0.2)
        assert (await listen_key(venue))["listenKey"] != key


async def test_delete_closes_the_stream() -> None:
    async with bench() as venue:
        key = (await listen_key(venue))["listenKey"]
        async with venue.session.ws_connect(f"{venue.ws}/private/ws?listenKey={key}") as socket:
            assert await listen_key(venue, "DELETE") == {}
            assert (await socket.receive(5)).type is aiohttp.WSMsgType.CLOSE


def test_a_key_lives_sixty_minutes_from_its_last_use() -> None:
    keys = ListenKeys()
    first = keys.start("a", 0)
    assert keys.extend("a", LIFE_MS - 1) == first
    assert keys.owner(first, 2 * LIFE_MS - 2) == "a"
    assert keys.expired(2 * LIFE_MS - 2) == []
    assert keys.expired(2 * LIFE_MS - 1) == [("a", first)]
    with pytest.raises(VenueError):
        keys.extend("a", 2 * LIFE_MS)
    assert keys.start("a", 2 * LIFE_MS) != first


async def test_the_server_pings_and_cuts_who_never_answers() -> None:
    rules = SocketRules(ping_every_s=0.1, pong_within_s=1.5)
    async with bench(rules=rules) as venue:
        async with venue.session.ws_connect(venue.ws + "/public/ws", autoping=False) as socket:
            assert (await socket.receive(5)).type is aiohttp.WSMsgType.PING
            kinds = [(await socket.receive(8)).type]
            while kinds[-1] is aiohttp.WSMsgType.PING:
                kinds.append((await socket.receive(8)).type)
            assert kinds[-1] in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE)


async def test_a_socket_is_cut_at_the_end_of_its_life() -> None:
    async with (
        bench(rules=SocketRules(life_s=0.5)) as venue,
        venue.session.ws_connect(venue.ws + "/public/ws") as socket,
    ):
        message = await socket.receive(5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)


async def test_more_than_ten_messages_a_second_end_the_socket() -> None:
    async with bench() as venue, venue.session.ws_connect(venue.ws + "/public/ws") as socket:
        for number in range(12):
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        kinds = [(await socket.receive(5)).type for _ in range(11)]
        assert kinds == [aiohttp.WSMsgType.TEXT] * 10 + [aiohttp.WSMsgType.CLOSE]


async def test_a_client_that_does_not_read_is_dropped_and_the_others_hear_on() -> None:
    async with bench(rules=SocketRules(queue_limit=50)) as venue:
        async with (
            venue.session.ws_connect(venue.ws + "/public/ws") as slow,
            venue.session.ws_connect(venue.ws + "/public/ws") as good,
        ):
            for socket in (slow, good):
                await ask(socket, "SUBSCRIBE", "btcusdt@trade")
            assert slow._response.connection is not None and slow._response.connection.transport is not None
            slow._response.connection.transport.pause_reading()
            reading = asyncio.create_task(_count(good))
            for number in range(400):
                venue.core.emit("btcusdt@trade", {"e": "trade", "n": number, "pad": "x" * 60_000})
                venue.floor.publish()
                await asyncio.sleep(0.001)
            for _ in range(100):
                if len(venue.floor.hub.connections()) == 1:
                    break
                await asyncio.sleep(0.02)
            assert len(venue.floor.hub.connections()) == 1
            venue.core.emit("btcusdt@trade", {"e": "last"})
            venue.floor.publish()
            assert await asyncio.wait_for(reading, 10) == 400


async def _count(socket: Socket) -> int:
    number = 0
    while (await heard(socket, 10))["e"] != "last":
        number += 1
    return number
