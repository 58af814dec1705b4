"""Streams outlive bad frames, dead keys and refused connections, and views are paced without losing the last change."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.clock import Clock
from gridops.adapters.market_fold import BookFrame
from gridops.adapters.market_stream import SymbolFeed, market_sockets
from gridops.adapters.owed_reports import DEAF, OwedReports
from gridops.adapters.reconnect import Ended, keep_connected
from gridops.adapters.tended import Tended
from gridops.adapters.user_stream import UserStream
from gridops.adapters.venue_parse import Grid, grids
from gridops.adapters.venue_wire import Wire
from gridops.domain.events import AccountReport, StreamChanged, VenueNotice, ViewChanged
from gridops.domain.vocabulary import Stream
from tests.adapters.venue_kit import Inputs, btc

ACCOUNT = {"e": "ACCOUNT_UPDATE", "E": 5, "T": 5, "a": {"m": "FUNDING_FEE", "B": [], "P": []}}


class RudeVenue:
    """The least a stream needs, with frames and refusals the emulator never sends."""

    def __init__(self) -> None:
        self.posts = self.puts = self.dials = 0
        self.frames: list[str | bytes] = []
        self.key_dead = False
        self.refuse_subscriptions = 0
        self.port = 0

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/fapi/v1/listenKey", self._post)
        app.router.add_put("/fapi/v1/listenKey", self._put)
        app.router.add_get("/{face}/ws", self._socket)
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner

    async def _post(self, _: web.Request) -> web.Response:
        self.posts += 1
        self.key_dead = False
        return web.json_response({"listenKey": f"key{self.posts}"})

    async def _put(self, _: web.Request) -> web.Response:
        self.puts += 1
        if self.key_dead:
            return web.json_response({"code": -1125, "msg": "This listenKey does not exist."}, status=400)
        return web.json_response({"listenKey": "key"})

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        self.dials += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if request.match_info["face"] == "private":
            await self._speak(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                refused = self.refuse_subscriptions > 0
                self.refuse_subscriptions -= 1
                answer = {"code": 2, "msg": "no", "id": 1} if refused else {"result": None, "id": 1}
                await socket.send_json(answer)
                if not refused:
                    await self._speak(socket)
        return socket

    async def _speak(self, socket: web.WebSocketResponse) -> None:
        for frame in self.frames:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))


@pytest.fixture
async def rude() -> AsyncIterator[RudeVenue]:
    venue = RudeVenue()
    runner = await venue.start()
    yield venue
    await runner.cleanup()


def wire_to(venue: RudeVenue) -> Wire:
    address = f"127.0.0.1:{venue.port}"
    settings = VenueSettings(
        api_key="k" * 64,
        api_secret="s" * 64,
        symbols=("BTCUSDT",),
        rest=f"http://{address}",
        ws=f"ws://{address}",
        timeout_ms=2_000,
    )
    return Wire(settings, Clock(), lambda _reply: None)


async def listen(venue: RudeVenue, inputs: Inputs, check: Callable[[], Any], **changes: Any) -> None:
    """Run the private stream while the check runs."""
    wire = wire_to(venue)
    changes.setdefault("owed", OwedReports(Clock().boot_ns))
    stream = UserStream(wire=wire, grids=lambda: grids([btc()]), put=inputs.put, clean=str, **changes)
    task = asyncio.create_task(stream.run())
    try:
        await check()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await wire.close()


@pytest.mark.wire
async def test_a_bad_frame_neither_stops_nor_breaks_the_private_stream(rude: RudeVenue) -> None:
    deep = "[" * 50_000
    rude.frames = [
        "{not json",
        "{}",
        "[]",
        b"\xff\xfe",
        deep,
        json.dumps({"e": "ORDER_TRADE_UPDATE"}),
        json.dumps(ACCOUNT),
    ]
    inputs = Inputs()

    async def check() -> None:
        await inputs.until(AccountReport)
        assert [each.kind for each in inputs.of(VenueNotice)] == ["malformed"] * 6
        assert [each.up for each in inputs.of(StreamChanged)] == [True]

    await listen(rude, inputs, check)


@pytest.mark.wire
async def test_a_key_that_died_in_silence_is_found_by_its_extension(rude: RudeVenue) -> None:
    inputs = Inputs()

    async def check() -> None:
        await inputs.until(StreamChanged, lambda each: each.up)
        while rude.puts < 2:
            await asyncio.sleep(0.01)
        assert rude.posts == 1
        rude.key_dead = True
        down = await inputs.until(StreamChanged, lambda each: not each.up)
        assert down.detail == "listen key expired"
        inputs.all.clear()
        await inputs.until(StreamChanged, lambda each: each.up)
        assert (rude.posts, rude.dials) == (2, 2)

    await listen(rude, inputs, check, extend_s=0.1)


@pytest.mark.wire
async def test_a_refused_subscription_is_a_lost_stream_and_tried_again(rude: RudeVenue) -> None:
    rude.refuse_subscriptions = 2
    rude.frames = [
        "{not json",
        json.dumps({"e": "bookTicker", "s": "BTCUSDT", "b": "9.9", "B": "1", "a": "10.0", "A": "1", "u": 1}),
    ]
    inputs, wire = Inputs(), wire_to(rude)
    streams = market_sockets(wire, [Grid(btc())], inputs.put, Clock(), 20)
    task = asyncio.gather(*(each.run() for each in streams.sockets))
    try:
        view = await inputs.until(ViewChanged)
        assert (view.view.bid_ticks, view.view.ask_ticks) == (99, 100)
        await inputs.until(StreamChanged, lambda each: each.stream is Stream.MARK and each.up)
        refused = [each for each in inputs.of(StreamChanged) if each.detail == "subscription refused"]
        assert refused and not any(each.up for each in refused)
        assert {each.kind for each in inputs.of(VenueNotice)} == {"malformed"}
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await wire.close()


async def told_to_leave() -> Ended:
    """What a task sees that was cancelled from outside."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)
    raise AssertionError("unreachable")


async def test_what_is_cancelled_inside_a_session_ends_no_stream() -> None:
    """A future of the library, or a part of the session: the stream is lost and connected anew."""
    sessions: list[int] = []
    told: list[tuple[bool, str]] = []

    async def session(up: Callable[[], None]) -> Ended:
        sessions.append(1)
        if len(sessions) == 2:
            await told_to_leave()
        up()
        raise asyncio.CancelledError

    async def no_pause(_: float) -> None: ...

    with pytest.raises(asyncio.CancelledError):
        await keep_connected(session, lambda is_up, why: told.append((is_up, why)), pause=no_pause)
    assert told == [(True, ""), (False, "cut off inside")] and len(sessions) == 2


async def test_a_work_that_ends_is_told_at_once_and_begun_again() -> None:
    """By an error, by a cancel, and by returning; after leaving it is not begun again."""
    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: seen.append(context))
    began: list[int] = []
    lost: list[str] = []

    async def work() -> None:
        began.append(1)
        if len(began) == 1:
            raise ZeroDivisionError
        if len(began) == 3:
            await asyncio.sleep(60)

    tended = Tended("reader", work, lost.append, again_s=0.01)
    while len(began) < 3:
        await asyncio.sleep(0.005)
    next(task for task in asyncio.all_tasks() if task.get_name() == "reader").cancel()
    while len(began) < 4:
        await asyncio.sleep(0.005)
    await tended.leave()
    await asyncio.sleep(0.03)
    ended = ["reader: internal error ZeroDivisionError", "reader: its task ended"]
    assert list(dict.fromkeys(lost)) == ended and len(began) == 4
    assert [context["message"] for context in seen][:2] == ended


async def test_pauses_grow_to_ten_seconds_and_each_edge_is_told_once() -> None:
    pauses: list[float] = []
    told: list[tuple[bool, str]] = []
    ends = iter([Ended("a"), Ended("b"), Ended("up", 30_000), *[Ended("c")] * 7])

    async def session(up: Callable[[], None]) -> Ended:
        ended = next(ends, None) or await told_to_leave()
        if ended.reason == "up":
            up()
        return ended

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    with pytest.raises(asyncio.CancelledError):
        await keep_connected(session, lambda is_up, why: told.append((is_up, why)), pause=pause)
    assert pauses == [0.2, 0.4, 30.0, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0, 10.0]
    assert told == [(False, "a"), (True, ""), (False, "up")]


async def test_a_bug_in_a_session_is_reported_and_survived() -> None:
    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: seen.append(context))
    told: list[tuple[bool, str]] = []

    async def session(_up: Callable[[], None]) -> Ended:
        if seen:
            await told_to_leave()
        raise ZeroDivisionError

    with pytest.raises(asyncio.CancelledError):
        await keep_connected(session, lambda is_up, why: told.append((is_up, why)))
    assert isinstance(seen[0]["exception"], ZeroDivisionError)
    assert told == [(False, "internal error ZeroDivisionError")]


def ticker(bid: int, u: int) -> BookFrame:
    return BookFrame(s="BTCUSDT", b=f"{bid / 10:.1f}", B="1", a=f"{bid / 10 + 1:.1f}", A="1", u=u, E=u)


async def test_a_burst_gives_its_first_and_its_last_state() -> None:
    inputs = Inputs()
    feed = SymbolFeed(Grid(btc()), inputs.put, Clock(), 50)
    for number in range(1, 6):
        feed.on_frame(ticker(100 + number, number))
    assert [each.view.bid_ticks for each in inputs.of(ViewChanged)] == [101]
    await asyncio.sleep(0.12)
    assert [each.view.bid_ticks for each in inputs.of(ViewChanged)] == [101, 105]
    feed.on_frame(ticker(105, 6))
    await asyncio.sleep(0.12)
    assert len(inputs.all) == 2
    feed.on_frame(ticker(106, 7))
    feed.on_frame(ticker(107, 8))
    feed.stop()
    await asyncio.sleep(0.1)
    assert [each.view.bid_ticks for each in inputs.of(ViewChanged)] == [101, 105, 106]


async def test_impossible_frames_are_noticed_once_a_second() -> None:
    inputs = Inputs()
    feed = SymbolFeed(Grid(btc()), inputs.put, Clock(), 20)
    for number in range(5):
        feed.on_frame(BookFrame(s="BTCUSDT", b="10.0", B="1", a="9.9", A="1", u=number, E=7))
    (notice,) = inputs.of(VenueNotice)
    assert (notice.kind, notice.symbol, notice.event_ms) == ("book_invalid", "BTCUSDT", 7)
    assert not inputs.of(ViewChanged)


@pytest.mark.wire
async def test_a_reader_that_fails_ends_the_socket_and_not_in_silence(rude: RudeVenue) -> None:
    rude.frames = ["{}"]
    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: seen.append(context))
    wire = wire_to(rude)

    def broken(_text: str | bytes) -> None:
        raise ZeroDivisionError

    socket = await wire.open_socket(f"ws://127.0.0.1:{rude.port}/private/ws", broken)
    assert await asyncio.wait_for(socket.until_dead(), 5) == "internal error ZeroDivisionError"
    assert isinstance(seen[0]["exception"], ZeroDivisionError)
    await socket.close()
    await wire.close()


def test_a_confirmed_write_owes_a_report_however_the_two_arrive() -> None:
    """Cases written out: silence is counted from the oldest write that nothing was heard after."""
    now_ns = 0
    owed = OwedReports(lambda: now_ns, patience_ms=4_000)
    owed.wrote(0)
    assert owed.due_ns == 4_000_000_000
    now_ns = 3_000_000_000
    owed.wrote(now_ns)
    assert owed.due_ns == 4_000_000_000, "a newer write does not forgive the older one"
    owed.reported()
    assert owed.due_ns is None and not owed.overdue
    owed.wrote(2_900_000_000)
    assert owed.due_ns is None, "its report overtook the reply"
    owed.wrote(3_000_000_001)
    now_ns = 7_000_000_000
    assert owed.overdue


@pytest.mark.wire
async def test_a_private_stream_that_owes_a_report_is_connected_anew(rude: RudeVenue) -> None:
    inputs = Inputs()
    owed = OwedReports(Clock().boot_ns, patience_ms=300)

    async def check() -> None:
        await inputs.until(StreamChanged)
        await asyncio.sleep(0.7)
        assert len(inputs.of(StreamChanged)) == 1, "nothing is owed: silence is no fault"
        owed.wrote(Clock().boot_ns())
        await inputs.until(StreamChanged, lambda _: len(inputs.of(StreamChanged)) == 3)

    await listen(rude, inputs, check, owed=owed)
    assert [(each.up, each.detail) for each in inputs.of(StreamChanged)] == [(True, ""), (False, DEAF), (True, "")]
