"""Faults are refused when misspelt, strike deterministically, and do to the wire exactly what their verb says."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from gridops.errors import ConfigError
from gridops.venue.server.faults import Facts, FaultPlan, load_schedule
from tests.venue.wire_client import KEY, Bench, Reply, bench

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"}
POST = Facts("rest", "POST", "/fapi/v1/order", "BTCUSDT")


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"verb": "rest.htp"},
        {"verb": "rest.http", "stauts": 503},
        {"verb": "rest.http", "selector": {"pth": "/x"}},
        {"verb": "rest.http", "n": -1},
        {"verb": "rest.http", "n": True},
        {"verb": "rest.http", "probability": 2},
        {"verb": "rest.http", "status": "503"},
        {"verb": "ws.silent", "target": "everything"},
        {"verb": "rest.http", "status": 99},
        {"verb": "rest.http", "selector": {"nth": "1"}},
        {"verb": "rest.http", "selector": []},
        {"verb": "rest.drop_req", "ms": 5},
    ],
)
def test_a_misspelt_fault_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        FaultPlan().arm(spec)


def test_a_selector_counts_its_own_matches_and_n_limits_them() -> None:
    plan = FaultPlan()
    plan.arm({"verb": "rest.http", "selector": {"method": "POST", "path": "/fapi/v1/*", "nth": 3}})
    plan.arm({"verb": "rest.drop_resp", "n": 2, "selector": {"symbol": "BTCUSDT"}})
    other = Facts("rest", "GET", "/fapi/v1/order", "ETHUSDT")
    hits = [[each.verb for each in plan.hitting(facts, 0)] for facts in (POST, other, POST, POST, POST)]
    assert hits == [["rest.drop_resp"], [], ["rest.drop_resp"], ["rest.http"], []]


def test_chance_is_the_faults_own_and_repeats_with_its_seed() -> None:
    def strikes(seed: int) -> list[bool]:
        plan = FaultPlan()
        plan.arm({"verb": "rest.http", "probability": 0.3, "seed": seed})
        return [bool(plan.hitting(POST, 0)) for _ in range(400)]

    assert strikes(1) == strikes(1)
    assert strikes(1) != strikes(2)
    assert 80 < sum(strikes(1)) < 160


def test_time_bounds_count_from_arming() -> None:
    plan = FaultPlan()
    plan.arm({"verb": "rest.http", "at_ms": 100, "for_ms": 50}, elapsed_ms=1_000)
    assert [bool(plan.hitting(POST, at)) for at in (1_000, 1_099, 1_100, 1_149, 1_150)] == [
        False,
        False,
        True,
        True,
        False,
    ]


def test_a_schedule_file_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\nverb = "rest.http"\nstatus = 503\nn = 3\n[fault.selector]\npath = "/fapi/v1/order"\n')
    assert load_schedule(path)[0]["status"] == 503
    for bad in ('[[fault]]\nverb = "nope"\n', "[other]\n", "x =", "fault = 3\n"):
        path.write_text(bad)
        with pytest.raises(ConfigError, match=r"faults\.toml"):
            load_schedule(path)
    with pytest.raises(ConfigError):
        load_schedule(tmp_path / "absent.toml")


async def place(venue: Bench, **more: Any) -> Reply:
    return await venue.signed("POST", "/fapi/v1/order", in_body=True, **ORDER, **more)


async def test_http_answers_without_applying_and_apply_then_http_after() -> None:
    async with bench() as venue:
        await venue.control("fault", verb="rest.http", status=503, body="Service Unavailable.", n=1)
        reply = await place(venue)
        assert (reply.status, reply.text, venue.core.calls) == (503, "Service Unavailable.", [])
        await venue.control("fault", verb="rest.apply_then_http", status=408, code=-1007, msg="Timeout", n=1)
        reply = await place(venue)
        assert (reply.status, reply.json) == (408, {"code": -1007, "msg": "Timeout"})
        assert len(venue.core.calls) == 1
        assert (await place(venue)).status == 200
        rows = (await venue.raw("GET", "/oracle/requests")).json["requests"]
        assert [(row["fault"], row["applied"], row["status"]) for row in rows] == [
            ("rest.http", False, 503), ("rest.apply_then_http", True, 408), (None, True, 200),
        ]  # fmt: skip


@pytest.mark.parametrize(("verb", "applied"), [("rest.drop_req", 0), ("rest.drop_resp", 1)])
async def test_a_dropped_connection_before_and_after_applying(verb: str, applied: int) -> None:
    async with bench() as venue:
        await venue.control("fault", verb=verb, n=1, selector={"method": "POST"})
        with pytest.raises(aiohttp.ClientError):
            await place(venue)
        assert len(venue.core.calls) == applied
        row = (await venue.raw("GET", "/oracle/requests")).json["requests"][0]
        assert (row["status"], row["applied"]) == (0, bool(applied))


async def test_a_delay_before_applying_makes_the_timestamp_old() -> None:
    async with bench() as venue:
        await venue.control("fault", verb="rest.delay", ms=300, n=1)
        assert (await place(venue, recvWindow=100)).code == -1021


async def test_truncated_and_html_bodies() -> None:
    async with bench() as venue:
        await venue.control("fault", verb="rest.trunc", bytes=5, n=1)
        assert len((await place(venue)).text) == 5
        await venue.control("fault", verb="rest.html", status=403, n=1)
        reply = await place(venue)
        assert (reply.status, reply.text[:6]) == (403, "<html>")


async def test_overload_sheds_increases_and_lets_reductions_and_cancels_through() -> None:
    async with bench() as venue:
        await venue.control("fault", verb="rest.overload")
        assert (await place(venue)).code == -1008
        assert (await place(venue, reduceOnly="true")).status == 200
        assert (await venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=1)).status == 200
        legs = [{"symbol": "BTCUSDT", "reduceOnly": "true"}, {"symbol": "BTCUSDT"}]
        mixed = await venue.signed("POST", "/fapi/v1/batchOrders", in_body=True, batchOrders=json.dumps(legs))
        assert mixed.code == -1008
        only = await venue.signed("POST", "/fapi/v1/batchOrders", in_body=True, batchOrders=json.dumps(legs[:1]))
        assert only.status == 200
        assert (await venue.control("clear")).json == {"cleared": 1}
        assert (await place(venue)).status == 200


async def test_a_ban_stops_everything_but_the_oracle() -> None:
    async with bench() as venue:
        await venue.control("fault", verb="ban", ms=60_000)
        reply = await venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT")
        assert (reply.status, reply.code) == (418, -1003)
        assert 59 <= int(reply.headers["Retry-After"]) <= 60
        assert (await venue.raw("GET", "/oracle/summary")).status == 200


async def subscribed(venue: Bench, socket: aiohttp.ClientWebSocketResponse) -> None:
    await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1})
    assert json.loads((await socket.receive(5)).data)["result"] is None


async def numbers(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[int]:
    return [json.loads((await socket.receive(5)).data)["t"] for _ in range(count)]


def emit(venue: Bench, *ids: int) -> None:
    for number in ids:
        venue.core.emit("btcusdt@trade", {"e": "trade", "t": number})
    venue.floor.publish()


async def test_a_muted_market_is_silent_but_open_and_comes_back_by_itself() -> None:
    async with bench() as venue, venue.session.ws_connect(venue.ws + "/public/ws") as socket:
        await subscribed(venue, socket)
        await venue.control("fault", verb="ws.silent", target="market", for_ms=400)
        emit(venue, 1)
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive(0.15)
        assert not socket.closed
        assert (await venue.raw("GET", "/oracle/summary")).json["muted"] == ["market"]
        await asyncio.sleep(0.5)
        emit(venue, 2)
        assert await numbers(socket, 1) == [2]


async def test_dropped_doubled_swapped_and_late_events() -> None:
    async with bench() as venue, venue.session.ws_connect(venue.ws + "/public/ws") as socket:
        await subscribed(venue, socket)
        for verb, nth in (("ws.drop", 2), ("ws.dup", 3)):
            await venue.control("fault", verb=verb, selector={"event": "trade", "nth": nth})
        emit(venue, 1, 2, 3, 4)
        assert await numbers(socket, 4) == [1, 3, 3, 4]
        await venue.control("clear")
        await venue.control("fault", verb="ws.reorder", n=1)
        emit(venue, 5, 6, 7)
        assert await numbers(socket, 3) == [6, 5, 7]
        await venue.control("fault", verb="ws.delay", ms=150, n=1)
        emit(venue, 8, 9)
        assert await numbers(socket, 2) == [9, 8]


@pytest.mark.parametrize("code", [1001, 1006])
async def test_closing_sockets_with_and_without_a_word(code: int) -> None:
    async with bench() as venue, venue.session.ws_connect(venue.ws + "/public/ws") as socket:
        await subscribed(venue, socket)
        await venue.control("fault", verb="ws.close", target="market", code=code)
        message = await socket.receive(5)
        assert message.type is (aiohttp.WSMsgType.CLOSE if code == 1001 else aiohttp.WSMsgType.CLOSED)


async def test_a_half_open_socket_answers_no_ping() -> None:
    async with bench() as venue, venue.session.ws_connect(venue.ws + "/public/ws", autoping=False) as socket:
        await subscribed(venue, socket)
        await socket.ping(b"a")
        assert (await socket.receive(5)).type is aiohttp.WSMsgType.PONG
        await venue.control("fault", verb="ws.halfopen", target="market")
        await socket.ping(b"b")
        emit(venue, 1)
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive(0.3)


async def test_a_scheduled_action_comes_at_its_time() -> None:
    async with bench() as venue:
        await venue.control("fault", verb="clock.skew", ms=5_000, at_ms=300)
        assert (await place(venue)).status == 200
        await asyncio.sleep(0.45)
        assert venue.floor.clock.skew_ms == 5_000


async def test_a_skewed_clock_is_told_and_leaves_the_stamps_of_events_alone() -> None:
    async with bench() as venue, venue.session.ws_connect(venue.ws + "/public/ws") as socket:
        await subscribed(venue, socket)
        await venue.control("fault", verb="clock.skew", ms=5_000)
        told_ms = (await venue.raw("GET", "/fapi/v1/time")).json["serverTime"]
        now_ms = venue.floor.clock.now_ms()
        assert 0 <= now_ms + 5_000 - told_ms < 2_000
        venue.core.emit("btcusdt@trade", {"e": "trade", "t": 1, "E": now_ms, "T": now_ms})
        venue.floor.publish()
        seen = json.loads((await socket.receive(5)).data)
        assert (seen["E"], seen["T"]) == (now_ms, now_ms)


async def test_the_listen_key_is_left_alone_without_an_account_match() -> None:
    async with bench() as venue:
        first = (await venue.raw("POST", "/fapi/v1/listenKey", "", {"X-MBX-APIKEY": KEY})).json
        await venue.control("fault", verb="expire_key", selector={"account": "other"})
        assert (await venue.raw("POST", "/fapi/v1/listenKey", "", {"X-MBX-APIKEY": KEY})).json == first
