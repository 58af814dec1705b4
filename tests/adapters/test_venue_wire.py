"""The adapter against the real emulator over real sockets: outcomes of writes, whole reads, streams that come back."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from gridops.adapters import last_look
from gridops.adapters.ccxt_client import Reply
from gridops.adapters.ccxt_venue import CcxtVenue
from gridops.adapters.clock import Clock
from gridops.adapters.venue_wire import Wire
from gridops.domain.events import (
    AccountReport,
    BudgetSeen,
    OrderReport,
    QueryReply,
    StreamChanged,
    VenueNotice,
    ViewChanged,
    WriteReply,
)
from gridops.domain.vocabulary import OpKind, OrderType, QueryKind, Side, Stream, TimeInForce, VenueCode, WriteOutcome
from gridops.venue.handle import VenueHandle, spawn
from gridops.venue.options import VenueOptions
from tests.adapters.venue_kit import Inputs, Session, op, send, settings

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def handle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueHandle]:
    found = spawn(VenueOptions(store=tmp_path_factory.mktemp("venue"), market="synthetic:5", idle_exit_s=120))
    yield found
    found.stop()


async def connected(handle: VenueHandle, **changes: Any) -> Session:
    inputs = Inputs()
    venue = CcxtVenue(settings=settings(handle, **changes), put=inputs.put)
    await venue.connect()
    return Session(venue, inputs, handle)


@pytest.fixture
async def session(handle: VenueHandle) -> AsyncIterator[Session]:
    handle.command("clear")
    made = await connected(handle)
    yield made
    handle.command("clear")
    await made.write(op(9_999, OpKind.CANCEL_ALL))
    await made.venue.close()


async def far_bid(session: Session) -> int:
    """One percent under the mark, in ticks: rests, inside every band."""
    book = await session.venue._wire.call("fapiPublicGetTickerBookTicker", {"symbol": "BTCUSDT"})
    assert isinstance(book.payload, dict)
    grid = session.venue._grids["BTCUSDT"]
    return grid.price.exact(book.payload["bidPrice"]) * 99 // 100


def requests_of(session: Session, method: str, path: str) -> int:
    return sum(each["method"] == method and each["path"] == path for each in session.handle.requests())


def edge(stream: Stream, *, up: bool) -> Callable[[StreamChanged], bool]:
    return lambda each: each.stream is stream and each.up is up


async def test_connect_loads_the_rules_and_measures_the_clock(session: Session) -> None:
    rules = (await session.ask(QueryKind.RULES)).instruments
    assert [each.symbol for each in rules] == ["BTCUSDT"]
    assert rules[0].trading and rules[0].tick_size > 0
    assert abs(session.venue.clock_offset_ms) < 1_000
    time = await session.ask(QueryKind.TIME)
    assert time.ok and abs(time.clock_offset_ms) < 1_000


async def test_an_order_lives_and_dies(session: Session) -> None:
    price = await far_bid(session)
    (placed,) = await session.write(op(1, price_ticks=price))
    assert placed.outcome is WriteOutcome.CONFIRMED and placed.order is not None
    assert (placed.order.price_ticks, placed.order.lots, placed.order.status) == (price, 10, "NEW")
    venue_id = placed.order.venue_id
    (amended,) = await session.write(op(2, OpKind.AMEND, client_id="goTEST1", venue_id=venue_id, price_ticks=price - 5))
    assert amended.order is not None and amended.order.price_ticks == price - 5
    found = await session.ask(QueryKind.ORDER, client_id="goTEST1")
    assert found.orders == (amended.order,) or found.orders[0].price_ticks == price - 5
    listed = await session.ask(QueryKind.OPEN_ORDERS)
    assert [each.client_id for each in listed.orders] == ["goTEST1"] and listed.complete
    (gone,) = await session.write(op(3, OpKind.CANCEL, client_id="goTEST1"))
    assert gone.outcome is WriteOutcome.CONFIRMED and gone.order is not None and gone.order.status == "CANCELED"
    assert (await session.ask(QueryKind.OPEN_ORDERS)).orders == ()


async def test_refusals_carry_the_number(session: Session) -> None:
    price = await far_bid(session)
    await session.write(op(10, price_ticks=price))
    (twice,) = await session.write(op(11, client_id="goTEST10", price_ticks=price))
    assert (twice.outcome, twice.code, twice.number) == (
        WriteOutcome.REFUSED,
        VenueCode.DUPLICATE_CLIENT_ID,
        -4116,
    )
    (crossing,) = await session.write(op(12, price_ticks=price * 102 // 100, tif=TimeInForce.GTX))
    assert (crossing.code, crossing.number) == (VenueCode.POST_ONLY, -5022)
    (same,) = await session.write(op(13, OpKind.AMEND, client_id="goTEST10", price_ticks=price))
    assert (same.code, same.number) == (VenueCode.AMEND_UNCHANGED, -5027)
    (absent,) = await session.write(op(14, OpKind.CANCEL, client_id="goNONE"))
    assert (absent.outcome, absent.code) == (WriteOutcome.REFUSED, VenueCode.UNKNOWN_ORDER)
    nothing = await session.ask(QueryKind.ORDER, client_id="goNONE")
    assert nothing.ok and nothing.code is VenueCode.NO_SUCH_ORDER and nothing.orders == ()


async def test_batches_attribute_each_leg_by_position(session: Session) -> None:
    price = await far_bid(session)
    ops = [op(20 + n, price_ticks=price - n) for n in range(7)]
    ops[2] = op(22, price_ticks=price, lots=0)
    replies = await session.write(*ops)
    assert [each.outcome for each in replies] == [WriteOutcome.CONFIRMED] * 2 + [WriteOutcome.REFUSED] + [
        WriteOutcome.CONFIRMED
    ] * 4
    ids = {each.op_id: each.order.venue_id for each in replies if each.order is not None}
    moved = [
        op(40 + n, OpKind.AMEND, client_id=f"goTEST{n}", venue_id=ids[n], price_ticks=price - 50 - n) for n in (20, 21)
    ]
    assert [each.order.price_ticks for each in await session.write(*moved) if each.order] == [price - 70, price - 71]
    cancels = [op(60 + n, OpKind.CANCEL, client_id=f"goTEST{n}", venue_id=ids[n]) for n in sorted(ids)]
    cancels.insert(1, op(99, OpKind.CANCEL, client_id="goNONE", venue_id="1"))
    replies = await session.write(*cancels)
    assert replies[1].code is VenueCode.UNKNOWN_ORDER
    assert [each.outcome for each in replies if each.op_id != 99] == [WriteOutcome.CONFIRMED] * 6
    by_name = await session.write(*[op(70 + n, price_ticks=price - n) for n in range(2)])
    assert all(each.order for each in by_name)
    gone = await session.write(*[op(80 + n, OpKind.CANCEL, client_id=f"goTEST{70 + n}") for n in range(2)])
    assert [each.outcome for each in gone] == [WriteOutcome.CONFIRMED] * 2


async def test_cancel_all_and_the_dead_man_are_confirmed(session: Session) -> None:
    await session.write(op(90, price_ticks=await far_bid(session)))
    (armed,) = await session.write(op(91, OpKind.DEADMAN, countdown_ms=60_000))
    (disarmed,) = await session.write(op(92, OpKind.DEADMAN, countdown_ms=0))
    (cleared,) = await session.write(op(93, OpKind.CANCEL_ALL))
    assert {armed.outcome, disarmed.outcome, cleared.outcome} == {WriteOutcome.CONFIRMED}
    assert (await session.ask(QueryKind.OPEN_ORDERS)).orders == ()


@pytest.mark.parametrize(
    ("verb", "args", "applied"),
    [
        ("rest.drop_req", {}, False),
        ("rest.drop_resp", {}, True),
        ("rest.delay_resp", {"ms": 2_500}, True),
        ("rest.apply_then_http", {"status": 503, "code": -1007, "msg": "Timeout; execution status unknown."}, True),
        ("rest.apply_then_http", {"status": 503, "body": "Unknown error, please check your request."}, True),
        ("rest.trunc", {"bytes": 20}, True),
        ("rest.html", {"status": 502}, False),
    ],
)
async def test_what_is_not_proven_is_unknown(
    session: Session, verb: str, args: dict[str, Any], *, applied: bool
) -> None:
    price = await far_bid(session)
    session.handle.fault(verb, n=1, selector={"method": "POST", "path": "/fapi/v1/order"}, args=args)
    (placed,) = await session.write(op(100, price_ticks=price))
    assert placed.outcome is WriteOutcome.UNKNOWN, placed
    assert placed.order is None
    listed = {each.client_id for each in (await session.ask(QueryKind.OPEN_ORDERS)).orders}
    assert ("goTEST100" in listed) is applied


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"status": 503, "body": "Service Unavailable."}, VenueCode.OVERLOADED),
        ({"status": 503, "code": -1008, "msg": "Request throttled by system-level protection."}, VenueCode.OVERLOADED),
        ({"status": 400, "code": -1021, "msg": "outside of the recvWindow."}, VenueCode.CLOCK),
        ({"status": 401, "code": -2015, "msg": "Invalid API-key"}, VenueCode.AUTH),
        ({"status": 403, "body": "<html>blocked</html>"}, VenueCode.AUTH),
    ],
)
async def test_certain_failures_are_refusals(session: Session, args: dict[str, Any], code: VenueCode) -> None:
    session.handle.fault("rest.http", n=1, selector={"method": "POST", "path": "/fapi/v1/order"}, args=args)
    (placed,) = await session.write(op(110, price_ticks=await far_bid(session)))
    assert (placed.outcome, placed.code) == (WriteOutcome.REFUSED, code)


async def test_no_layer_repeats_a_write_whose_connection_broke(session: Session) -> None:
    price = await far_bid(session)
    await session.write(op(120, price_ticks=price))
    session.handle.fault("rest.drop_resp", n=1, selector={"method": "PUT", "path": "/fapi/v1/order"})
    session.handle.fault("rest.drop_resp", n=1, selector={"method": "DELETE", "path": "/fapi/v1/order"})
    puts, deletes = (requests_of(session, verb, "/fapi/v1/order") for verb in ("PUT", "DELETE"))
    (amended,) = await session.write(op(121, OpKind.AMEND, client_id="goTEST120", price_ticks=price - 3))
    assert (await session.ask(QueryKind.TIME)).ok
    (cancelled,) = await session.write(op(122, OpKind.CANCEL, client_id="goTEST120"))
    assert {amended.outcome, cancelled.outcome} == {WriteOutcome.UNKNOWN}
    assert requests_of(session, "PUT", "/fapi/v1/order") == puts + 1
    assert requests_of(session, "DELETE", "/fapi/v1/order") == deletes + 1


@pytest.mark.parametrize("legs", [1, 3])
@pytest.mark.parametrize("dialled", [True, False])
async def test_what_is_refused_while_its_body_is_about_to_be_written_never_leaves(
    session: Session, *, dialled: bool, legs: int
) -> None:
    """Also when the connection is still being dialled; and nothing is in doubt afterwards."""
    price = await far_bid(session)
    if not dialled:
        await session.venue._wire.close()
    path = "/fapi/v1/order" if legs == 1 else "/fapi/v1/batchOrders"
    before, why = requests_of(session, "POST", path), "killed" if dialled else ""
    effect = send(*[op(140 + n, price_ticks=price - n) for n in range(legs)])
    work = asyncio.ensure_future(session.venue.send(effect, lambda: why))
    await asyncio.sleep(0)
    why = "killed"
    await work
    told = session.inputs.of(WriteReply)
    assert [(each.outcome, each.detail) for each in told] == [(WriteOutcome.DENIED, "killed")] * legs
    await asyncio.sleep(0.1)
    assert requests_of(session, "POST", path) == before
    why = ""
    await session.venue.send(effect, lambda: why)
    assert {each.outcome for each in session.inputs.of(WriteReply)[legs:]} == {WriteOutcome.CONFIRMED}
    assert requests_of(session, "POST", path) == before + 1


async def test_a_call_that_is_over_is_kept_by_no_connection(session: Session) -> None:
    """A pooled connection keeps the context it was dialled in for minutes, and with it whatever that refers to."""

    def question() -> str:
        return ""

    asked = weakref.ref(question)
    await session.venue._wire.close()
    reply = await session.venue._wire.call("fapiPublicGetTime", {}, question)
    assert reply.status == 200
    del reply, question
    gc.collect()
    assert [each for each in gc.get_objects() if isinstance(each, Reply)] == []
    assert asked() is None


async def test_what_would_leave_once_its_caller_has_gone_never_does(session: Session) -> None:
    """A task that a call began keeps the call's question, which is answered for good when the call is over."""
    price, begin = await far_bid(session), asyncio.Event()
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}

    async def late() -> None:
        await begin.wait()
        await session.venue._wire.exchange.fapiPrivatePostOrder({**order, "price": f"{price / 10}"})

    before = requests_of(session, "POST", "/fapi/v1/order")
    with last_look.asking(lambda: ""):
        work = asyncio.create_task(late())
    begin.set()
    (ended,) = await asyncio.gather(work, return_exceptions=True)
    assert isinstance(ended, Exception)
    await asyncio.sleep(0.1)
    assert requests_of(session, "POST", "/fapi/v1/order") == before


async def test_a_cancelled_send_answers_for_every_operation(session: Session) -> None:
    price = await far_bid(session)
    session.handle.fault("rest.delay_resp", n=1, selector={"path": "/fapi/v1/batchOrders"}, args={"ms": 900})
    work = asyncio.ensure_future(session.venue.send(send(*[op(130 + n, price_ticks=price - n) for n in range(7)])))
    await asyncio.sleep(0.3)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    outcomes = [each.outcome for each in session.inputs.of(WriteReply)]
    assert outcomes == [WriteOutcome.UNKNOWN] * 5 + [WriteOutcome.DENIED] * 2
    await asyncio.sleep(0.8)


async def test_a_limited_and_a_banned_account_are_told_with_the_time_to_wait(session: Session) -> None:
    selector = {"method": "GET", "path": "/fapi/v1/openOrders"}
    args = {"status": 429, "code": -1003, "msg": "Too many requests", "headers": {"Retry-After": "7"}}
    session.handle.fault("rest.http", n=1, selector=selector, args=args)
    reply = await session.ask(QueryKind.OPEN_ORDERS)
    assert (reply.ok, reply.code) == (False, VenueCode.RATE_LIMIT)
    limited = await session.inputs.until(BudgetSeen, lambda seen: seen.retry_after_ms == 7_000)
    assert not limited.banned
    args = {"status": 418, "code": -1003, "msg": f"banned until {session.venue.venue_now() + 60_000}."}
    session.handle.fault("rest.http", n=1, selector=selector, args=args)
    assert (await session.ask(QueryKind.OPEN_ORDERS)).code is VenueCode.BANNED
    banned = await session.inputs.until(BudgetSeen, lambda seen: seen.banned)
    assert 55_000 < banned.retry_after_ms <= 60_000


@pytest.mark.parametrize("offset_ms", [-5_000, 5_000])
async def test_a_ban_ends_by_the_venues_clock(session: Session, offset_ms: int) -> None:
    """The end is told in the venue's time: a host that runs ahead would ask again while it is banned."""
    wire = Wire(settings(session.handle), Clock(), lambda _: None)
    wire.set_offset(offset_ms)
    until_ms = Clock().wall_ms() + offset_ms + 60_000
    reply = Reply()
    reply.status, reply.body = 418, f'{{"code":-1003,"msg":"Way too many requests; IP banned until {until_ms}."}}'
    assert 58_000 < wire.retry_after_ms(reply) <= 60_000
    await wire.close()


async def test_the_account_is_read_whole_or_not_at_all(session: Session) -> None:
    whole = await session.ask(QueryKind.POSITIONS)
    assert whole.ok and whole.modes is not None and not whole.modes.hedge and whole.modes.can_trade
    assert [each.symbol for each in whole.positions] == ["BTCUSDT"]
    assert {each.asset for each in whole.balances} >= {"USDT"}
    session.handle.fault("rest.drop_req", n=1, selector={"path": "/fapi/v3/account"})
    broken = await session.ask(QueryKind.POSITIONS)
    assert (broken.ok, broken.positions, broken.balances) == (False, (), ())


async def test_fills_arrive_once_by_stream_and_are_found_by_id(session: Session) -> None:
    await session.venue.start_streams()
    await session.inputs.until(StreamChanged, edge(Stream.USER, up=True))
    market = op(140, order_type=OrderType.MARKET, lots=20)
    (bought,) = await session.write(market)
    assert bought.outcome is WriteOutcome.CONFIRMED
    report = await session.inputs.until(OrderReport, lambda each: each.execution == "TRADE" and each.status == "FILLED")
    assert report.client_id == "goTEST140" and report.fee > 0 and report.fee_asset == "USDT" and not report.maker
    account = await session.inputs.until(AccountReport, lambda each: each.reason == "ORDER" and bool(each.positions))
    assert account.positions[0][:2] == ("BTCUSDT", 20)
    streamed = {each.trade_id: each.last_lots for each in session.inputs.of(OrderReport) if each.trade_id}
    trades = await session.ask(QueryKind.TRADES)
    assert {each.trade_id: each.lots for each in trades.trades} == streamed
    last = trades.trades[-1].trade_id
    newest = await session.ask(QueryKind.TRADES, from_id=last)
    assert [each.trade_id for each in newest.trades] == [last]
    held = await session.ask(QueryKind.POSITIONS)
    assert [each.lots for each in held.positions] == [20]
    paid = await session.ask(QueryKind.INCOME)
    fees = -sum(each.amount for each in paid.incomes if each.income_type == "COMMISSION")
    assert fees == sum(each.fee for each in trades.trades)
    await session.write(op(141, side=Side.SELL, order_type=OrderType.MARKET, lots=20, reduce_only=True))
    await session.inputs.until(
        AccountReport, lambda each: each.positions[:1] == (("BTCUSDT", 0, each.positions[0][2]),)
    )


async def test_views_come_paced_with_book_mark_and_trades(session: Session) -> None:
    await session.venue.start_streams()
    view = await session.inputs.until(
        ViewChanged,
        lambda each: each.view.has_book and each.view.mark_ticks > 0 and each.view.trade_seen_ms > 0,
        within_s=20,
    )
    assert abs(view.view.mark_ticks * 2 - view.view.mid2_ticks) < view.view.mid2_ticks // 50
    start = len(session.inputs.of(ViewChanged))
    await asyncio.sleep(1)
    assert 1 <= len(session.inputs.of(ViewChanged)) - start <= 52


async def test_streams_come_back_after_a_close(session: Session) -> None:
    await session.venue.start_streams()
    for stream in Stream:
        await session.inputs.until(StreamChanged, edge(stream, up=True))
    session.inputs.all.clear()
    session.handle.fault("ws.close", args={"target": "all", "code": 1001})
    for stream in Stream:
        down = await session.inputs.until(StreamChanged, edge(stream, up=False))
        assert down.detail == "closed with 1001"
        await session.inputs.until(StreamChanged, edge(stream, up=True))
    (placed,) = await session.write(op(150, price_ticks=await far_bid(session)))
    assert placed.order is not None
    await session.inputs.until(OrderReport, lambda each: each.client_id == "goTEST150")


async def test_an_expired_key_is_renewed(session: Session) -> None:
    await session.venue.start_streams()
    await session.inputs.until(StreamChanged, edge(Stream.USER, up=True))
    session.inputs.all.clear()
    session.handle.fault("ws.expire_key")
    await session.inputs.until(VenueNotice, lambda each: each.kind == "listenKeyExpired")
    await session.inputs.until(StreamChanged, edge(Stream.USER, up=False))
    await session.inputs.until(StreamChanged, edge(Stream.USER, up=True))
    await session.write(op(160, price_ticks=await far_bid(session)))
    await session.inputs.until(OrderReport, lambda each: each.client_id == "goTEST160")


async def test_a_half_open_socket_is_noticed_by_its_missing_pongs(handle: VenueHandle) -> None:
    handle.command("clear")
    session = await connected(handle, keep_alive_ms=800)
    try:
        await session.venue.start_streams()
        await session.inputs.until(StreamChanged, edge(Stream.USER, up=True))
        await asyncio.sleep(2.5)
        assert not [each for each in session.inputs.of(StreamChanged) if each.stream is Stream.USER and not each.up]
        handle.fault("ws.halfopen", args={"target": "user"})
        down = await session.inputs.until(StreamChanged, edge(Stream.USER, up=False), within_s=4)
        # One ping interval before the library would notice.
        assert down.detail == "silent"
    finally:
        await session.venue.close()


async def test_no_secret_and_no_url_reaches_an_input(session: Session) -> None:
    await session.venue.start_streams()
    await session.inputs.until(StreamChanged, edge(Stream.USER, up=True))
    secrets = (session.handle.api_key, session.handle.api_secret, "signature=")
    echo = f"bad {secrets[0]} {secrets[1]} signature={'a' * 64} \x1b[31m" + "x" * 500
    session.handle.fault("rest.http", n=1, args={"status": 400, "code": -1130, "msg": echo})
    reply = await session.ask(QueryKind.OPEN_ORDERS)
    assert not reply.ok and len(reply.detail) <= 200 and "\x1b" not in reply.detail
    session.handle.fault("rest.drop_req", n=1)
    await session.ask(QueryKind.INCOME)
    session.handle.fault("ws.expire_key")
    await session.inputs.until(VenueNotice, lambda each: each.kind == "listenKeyExpired")
    text = repr(session.inputs.all) + repr(settings(session.handle))
    assert not any(secret in text for secret in secrets[:2])
    assert "listenKey=" not in text and "127.0.0.1" not in repr(session.inputs.all)


async def test_a_read_that_is_cancelled_still_answers_once(session: Session) -> None:
    session.handle.fault("rest.delay_resp", n=1, selector={"path": "/fapi/v1/openOrders"}, args={"ms": 900})
    work = asyncio.ensure_future(session.ask(QueryKind.OPEN_ORDERS))
    await asyncio.sleep(0.2)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert [each.ok for each in session.inputs.of(QueryReply)] == [False]
