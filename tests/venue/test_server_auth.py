"""A signed request is let in only with a known key, a true signature over the raw text, and a clock in the window."""

import hashlib
import hmac
import time

import pytest
from gridops.venue.errors import VenueError
from gridops.venue.server import auth
from tests.venue.wire_client import KEY, SECRET, bench


def now_ms() -> int:
    return int(time.time() * 1_000)


def test_the_documented_example_signs_to_the_documented_signature() -> None:
    # Key, payload and signature of the venue's own documentation (general info, SIGNED endpoint example).
    secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
    payload = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
    payload += "&timestamp=1591702613943"
    assert auth.signature_of(secret, payload) == "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"


async def test_a_signed_read_reaches_the_core_without_wire_parameters() -> None:
    async with bench() as venue:
        reply = await venue.signed("GET", "/fapi/v1/openOrders", symbol="BTCUSDT", recvWindow=5_000)
        assert reply.status == 200
        assert venue.core.calls == [("acc", "GET", "/fapi/v1/openOrders", {"symbol": "BTCUSDT"})]


async def test_the_signature_covers_query_and_body_joined_without_separator() -> None:
    async with bench() as venue:
        query, body = f"symbol=BTCUSDT&timestamp={now_ms()}", "countdownTime=1000"
        sign = hmac.new(SECRET.encode(), (query + body).encode(), hashlib.sha256).hexdigest()
        target = f"/fapi/v1/countdownCancelAll?{query}"
        headers = {"X-MBX-APIKEY": KEY}
        assert (await venue.raw("POST", target, f"{body}&signature={sign}", headers)).status == 200
        with_separator = hmac.new(SECRET.encode(), f"{query}&{body}".encode(), hashlib.sha256).hexdigest()
        reply = await venue.raw("POST", target, f"{body}&signature={with_separator}", headers)
        assert (reply.status, reply.code) == (400, -1022)


async def test_raw_encoding_is_what_counts() -> None:
    async with bench() as venue:
        query = f"symbol=BTCUSDT&orderidlist=%5B1%2C2%5D&timestamp={now_ms()}"
        sign = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        reply = await venue.raw("DELETE", f"/fapi/v1/batchOrders?{query}&signature={sign}", "", {"X-MBX-APIKEY": KEY})
        assert reply.status == 200
        assert venue.core.calls[0][3]["orderidlist"] == ["1", "2"]


@pytest.mark.parametrize(("key", "status", "code"), [("", 401, -2014), ("short", 401, -2014), ("x" * 64, 401, -2015)])
async def test_keys_that_open_nothing(key: str, status: int, code: int) -> None:
    async with bench() as venue:
        reply = await venue.signed("GET", "/fapi/v3/account", key=key)
        assert (reply.status, reply.code) == (status, code)
        assert venue.core.calls == []


@pytest.mark.parametrize(
    ("offset_ms", "window", "code"),
    [(0, 5_000, None), (900, 5_000, None), (1_200, 5_000, -1021), (-4_000, 5_000, None), (-6_000, 5_000, -1021),
     (-6_000, 10_000, None), (-4_000, 1_000, -1021), (0, 60_001, -1131), (0, 0, -1131)],
)  # fmt: skip
async def test_the_time_window(offset_ms: int, window: int, code: int | None) -> None:
    async with bench() as venue:
        reply = await venue.signed("GET", "/fapi/v3/balance", timestamp=now_ms() + offset_ms, recvWindow=window)
        assert (reply.code if reply.status != 200 else None) == code


async def test_a_missing_timestamp_or_signature_is_a_missing_parameter() -> None:
    async with bench() as venue:
        headers = {"X-MBX-APIKEY": KEY}
        for query in ("", f"timestamp={now_ms()}"):
            reply = await venue.raw("GET", f"/fapi/v3/account?{query}", "", headers)
            assert (reply.status, reply.code) == (400, -1102)


async def test_a_skewed_venue_clock_judges_and_is_shown_but_the_core_keeps_its_time() -> None:
    async with bench() as venue:
        venue.floor.clock.skew_ms = 30_000
        assert (await venue.signed("GET", "/fapi/v3/account")).code == -1021
        shown = (await venue.raw("GET", "/fapi/v1/time")).json["serverTime"]
        assert abs(shown - now_ms() - 30_000) < 2_000
        assert abs(venue.core.now_ms - now_ms()) < 2_000


def test_ws_api_payloads_are_sorted_and_offered_plain_and_encoded() -> None:
    plain, encoded = auth.ws_payloads({"b": "x:1", "a": "true", "signature": "zz"})
    assert (plain, encoded) == ("a=true&b=x:1", "a=true&b=x%3A1")


@pytest.mark.parametrize("given", ["", "é" * 64, "\udcff", "0" * 64])
def test_no_signature_text_crashes_the_comparison(given: str) -> None:
    with pytest.raises(VenueError):
        auth.check_signature(SECRET, ["a=1"], given)
