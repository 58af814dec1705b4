"""The market reaches the core in time order on the venue's clock, scaled by the speed, with deadlines in between."""

from decimal import Decimal

import pytest
from gridops.venue.market.events import MarkPrice
from gridops.venue.server.clock import ManualClock
from gridops.venue.server.market_feed import MarketFeed
from tests.venue.wire_client import TOKEN, bench
from tests.venue.wire_stub import ListMarket, StubCore, trade


@pytest.mark.parametrize(
    ("speed_milli", "expected"),
    [(1_000, [5_000, 5_010, 6_000]), (10_000, [5_000, 5_001, 5_100]), (500, [5_000, 5_020, 7_000])],
)
def test_market_time_is_rebased_and_scaled(speed_milli: int, expected: list[int]) -> None:
    core = StubCore(5_000)
    feed = MarketFeed(ListMarket([trade(100), trade(110), trade(1_100)]), venue_start_ms=5_000, speed_milli=speed_milli)
    feed.run_until(core, 100_000, 100)
    assert [at for at, _event in core.applied] == expected
    assert [event.at_ms for _at, event in core.applied] == expected
    assert feed.ended and feed.market_ms == 1_100 and core.now_ms == 100_000


def test_the_next_funding_time_keeps_its_distance() -> None:
    mark = MarkPrice(1_000, "BTCUSDT", Decimal(1), Decimal(1), Decimal(0), 61_000)
    core = StubCore(500_000)
    MarketFeed(ListMarket([mark]), venue_start_ms=500_000).run_until(core, 500_000, 10)
    event = core.applied[0][1]
    assert isinstance(event, MarkPrice) and event.next_funding_ms == 560_000


def test_deadlines_happen_between_the_events_around_them() -> None:
    core = StubCore(0)
    core.deadline = 15
    MarketFeed(ListMarket([trade(0), trade(10), trade(20)]), venue_start_ms=0).run_until(core, 30, 10)
    assert core.advanced == [15, 30]


def test_a_budget_leaves_the_rest_for_later_and_the_clock_behind() -> None:
    core = StubCore(0)
    feed = MarketFeed(ListMarket([trade(n) for n in range(10)]), venue_start_ms=0)
    assert feed.run_until(core, 50, 4) == 4
    assert core.now_ms == 3
    assert feed.run_until(core, 50, 100) == 6
    assert core.now_ms == 50


def test_a_late_market_is_never_applied_in_the_past() -> None:
    core = StubCore(0)
    feed = MarketFeed(ListMarket([trade(0), trade(10)]), venue_start_ms=0)
    core.now_ms = 40
    feed.run_until(core, 50, 10)
    assert [at for at, _event in core.applied] == [40, 40]


def test_a_pause_moves_the_rest_of_the_market() -> None:
    core = StubCore(0)
    feed = MarketFeed(ListMarket([trade(0), trade(10)]), venue_start_ms=0)
    feed.run_until(core, 5, 10)
    feed.pause(5)
    feed.run_until(core, 500, 10)
    assert len(core.applied) == 1 and core.now_ms == 500
    feed.resume(505)
    assert feed.next_ms() == 510


async def test_a_manual_clock_moves_the_market_and_its_end_is_told() -> None:
    market = ListMarket([trade(1_000), trade(2_000), trade(3_000)])
    async with bench(StubCore(1_000), clock=ManualClock(1_000), market=market) as venue:
        assert (await venue.raw("GET", "/oracle/summary")).json["market_ended"] is False
        reply = await venue.control("advance", ms=1_500)
        assert reply.json == {"now_ms": 2_500}
        assert [at for at, _event in venue.core.applied] == [1_000, 2_000]
        await venue.control("advance", ms=1_000)
        summary = (await venue.raw("GET", "/oracle/summary")).json
        assert (summary["market_ended"], summary["market_ms"], summary["now_ms"]) == (True, 3_000, 3_500)
        assert (await venue.raw("GET", "/fapi/v1/time")).json["serverTime"] == 3_500


async def test_the_control_port_wants_its_token_and_known_commands() -> None:
    async with bench() as venue:
        for headers in ({}, {"X-Control-Token": "wrong"}, {"X-Control-Token": TOKEN[:-1]}):
            assert (await venue.raw("POST", "/control/stop", "{}", headers)).status == 403
        assert not venue.floor.stopping.is_set()
        assert (await venue.control("nonsense")).status == 404
        assert (await venue.control("advance", ms=1)).status == 400
        assert (await venue.control("fault", verb="nope")).status == 400
        for body in ("[]", "{", '"x"'):
            assert (await venue.raw("POST", "/control/fault", body, {"X-Control-Token": TOKEN})).status == 400
        assert (await venue.raw("POST", "/oracle/truth")).status == 405
        assert (await venue.raw("GET", "/oracle/truth")).json["wallet"] == "1.5"


async def test_an_idle_venue_stops_itself() -> None:
    async with bench(idle_exit_s=0.3) as venue:
        import asyncio

        await asyncio.wait_for(venue.floor.stopping.wait(), 5)
