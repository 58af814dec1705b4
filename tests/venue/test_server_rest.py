"""REST answers in the venue's words: unknown paths loudly, malformed input by code, headers always, real limits."""

import asyncio
import json
import random
import time

import pytest
from gridops.venue.errors import VenueError
from gridops.venue.server import params
from gridops.venue.server.rate import RateBook
from tests.venue.wire_client import KEY, Bench, bench

DOCUMENTED = {-1000, -1100, -1101, -1102, -1105, -1121, -1130, -1131, -1021, -1022, -2014, -2015, -5000}


FUZZED = [
    ("GET", "/fapi/v1/depth"),
    ("POST", "/fapi/v1/order"),
    ("PUT", "/fapi/v1/batchOrders"),
    ("DELETE", "/fapi/v1/order"),
    ("GET", "/fapi/v1/klines"),
    ("POST", "/fapi/v1/listenKey"),
    ("GET", "/fapi/v1/%2e%2e/x"),
    ("PATCH", "/fapi/v1/order"),
]


@pytest.mark.parametrize(
    "path", ["/sapi/v1/capital/config/getall", "/dapi/v1/ping", "/papi/v1/um/order", "/fapi/v9/x", "/"]
)
async def test_an_unknown_path_is_404_and_counted_loudly(path: str) -> None:
    async with bench() as venue:
        reply = await venue.signed("GET", path)
        assert (reply.status, reply.code) == (404, -5000)
        summary = (await venue.raw("GET", "/oracle/summary")).json
        assert summary["unknown_paths"] == 1
        assert summary["unknown_path_list"] == {f"GET {path}": 1}


async def test_a_known_path_with_another_verb_is_unknown_too() -> None:
    async with bench() as venue:
        assert (await venue.raw("DELETE", "/fapi/v1/time")).status == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [("symbol=", -1105), ("symbol=btc%20usdt", -1100), ("symbol=%ff", -1100), ("symbol=B&symbol=B", -1101),
     ("limit=10", -1102), ("symbol=BTCUSDT&limit=1e3", -1100), ("symbol=BTCUSDT&limit=99999999999999999999", -1130),
     ("symbol=ETHUSDT", -1121), ("sym%00bol=1", -1100), ("symbol=" + "A" * 9_000, -1100),
     ("&".join(f"p{n}=1" for n in range(70)), -1101), ("symbol=BTCUSDT%0A", -1100), ("symbol=БТЦ", -1100)],
)  # fmt: skip
async def test_malformed_parameters_get_their_code(query: str, code: int) -> None:
    async with bench() as venue:
        assert (await venue.raw("GET", f"/fapi/v1/depth?{query}")).code == code


@pytest.mark.parametrize(
    "text",
    [
        *("", "[", "{}", "[]", "[1]", "null", "[[1]]", '["x"]', "[" * 5_000, "[" + "{}," * 200 + "{}]"),
        *('[{"a":{}}]', '[{"a":NaN}]', '[{"a":"\\u0000"}]'),
    ],
)
def test_malformed_batches_are_refused_without_a_crash(text: str) -> None:
    with pytest.raises(VenueError) as refusal:
        params.with_lists(params.collect([("batchOrders", text)]))
    assert refusal.value.code in (-1105, -1130)


def test_numbers_in_a_batch_stay_the_text_the_client_sent() -> None:
    text = (
        '[{"symbol":"BTCUSDT","price":58800.10,"quantity":"0.010","reduceOnly":true,"x":null,"id":12345678901234567}]'
    )
    leg = params.with_lists({"batchOrders": text})["batchOrders"][0]
    assert leg == {
        "symbol": "BTCUSDT", "price": "58800.10", "quantity": "0.010", "reduceOnly": "true", "id": "12345678901234567",
    }  # fmt: skip


@pytest.mark.wire
async def test_hundreds_of_malformed_requests_end_in_venue_codes() -> None:
    chance = random.Random(20)
    async with bench() as venue:
        for _ in range(400):
            await _one_malformed(venue, chance)
            venue.floor.rates = RateBook()
        assert venue.floor.journal.internal_errors == []
        assert (await venue.raw("GET", "/oracle/requests")).status == 200


async def _one_malformed(venue: Bench, chance: random.Random) -> None:
    verb, path = chance.choice(FUZZED)
    alphabet = "a0%&=+[]{}\"'\\<>/?;:,.é\U0001f600 \t"
    noise = "".join(chance.choice(alphabet) for _ in range(chance.randrange(0, 80)))
    query = "".join(c if c.isascii() and c not in ' \t"<>' else "%FF" for c in noise).replace("#", "")
    headers = {"X-MBX-APIKEY": chance.choice([KEY, "é", "", "x" * 64])} if chance.random() < 0.7 else {}
    reply = await venue.raw(verb, f"{path}?{query}", noise if verb in ("POST", "PUT") else "", headers)
    assert 200 <= reply.status < 500, (verb, path, query, reply.text)
    if reply.status != 200:
        assert reply.code in DOCUMENTED, reply.text
    assert "Traceback" not in reply.text


@pytest.mark.parametrize("raw", [b"\x16\x03\x01\x02", b"GET /fapi/v1/time?a=\xff HTTP/1.1\r\n\r\n", b"GET\r\n\r\n"])
async def test_what_is_no_http_is_refused_as_json_and_the_venue_lives(raw: bytes) -> None:
    async with bench() as venue:
        reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
        writer.write(raw + b"\r\n\r\n")
        reply = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert b" 400 " in reply.splitlines()[0]
        assert json.loads(reply.split(b"\r\n\r\n")[1])["code"] == -1100
        assert (await venue.raw("GET", "/fapi/v1/time")).status == 200


async def test_an_oversized_body_is_refused_before_it_is_read() -> None:
    async with bench() as venue:
        reply = await venue.raw("POST", "/fapi/v1/order", "a" * 300_000, {"X-MBX-APIKEY": KEY})
        assert (reply.status, reply.code) == (413, -1101)


async def test_an_unforeseen_failure_is_a_venue_code_kept_for_the_oracle(capsys: pytest.CaptureFixture[str]) -> None:
    async with bench() as venue:
        venue.core.fails = ZeroDivisionError("planted")
        reply = await venue.signed("GET", "/fapi/v3/account")
        assert (reply.status, reply.code) == (500, -1000)
        assert "planted" not in reply.text
        assert "planted" in (await venue.raw("GET", "/oracle/summary")).json["internal_errors"][0]
    assert "planted" in capsys.readouterr().err


async def test_every_reply_carries_the_weight_and_order_writes_their_counts() -> None:
    async with bench() as venue:
        assert (await venue.raw("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000")).headers[
            "X-MBX-USED-WEIGHT-1M"
        ] == "20"
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"}
        reply = await venue.signed("POST", "/fapi/v1/order", in_body=True, **order)
        # Order writes cost no address weight on this venue; they count on the two order windows instead.
        assert reply.headers["X-MBX-USED-WEIGHT-1M"] == "20"
        assert (reply.headers["X-MBX-ORDER-COUNT-10S"], reply.headers["X-MBX-ORDER-COUNT-1M"]) == ("1", "1")
        batch = json.dumps([{"symbol": "BTCUSDT"}] * 2)
        reply = await venue.signed("POST", "/fapi/v1/batchOrders", in_body=True, batchOrders=batch)
        assert (reply.headers["X-MBX-ORDER-COUNT-10S"], reply.headers["X-MBX-ORDER-COUNT-1M"]) == ("6", "2")
        limits = await venue.signed("GET", "/fapi/v1/rateLimit/order")
        assert [(row["interval"], row["intervalNum"], row["limit"]) for row in limits.json] == [
            ("SECOND", 10, 300), ("MINUTE", 1, 1_200),
        ]  # fmt: skip
        assert "X-MBX-ORDER-COUNT-10S" not in limits.headers


def test_weight_falls_to_zero_at_the_calendar_minute() -> None:
    book = RateBook()
    book.charge(119_999, 2_400)
    assert book.weight_header(119_999) == {"X-MBX-USED-WEIGHT-1M": "2400"}
    assert book.weight_header(120_000) == {"X-MBX-USED-WEIGHT-1M": "0"}


def test_who_goes_on_after_429_is_banned_and_each_ban_is_longer() -> None:
    book, now_ms = RateBook(), 60_000
    book.charge(now_ms, 2_400)
    seen = [_refusal(book, now_ms) for _ in range(12)]
    assert [each.status for each in seen] == [429] * 10 + [418] * 2
    assert seen[0].headers["Retry-After"] == "60"
    assert seen[0].code == -1003
    assert seen[10].headers["Retry-After"] == "120"
    assert "banned until 180000" in seen[10].message
    later_ms = 240_000
    book.charge(later_ms, 2_400)
    assert [_refusal(book, later_ms) for _ in range(11)][-1].headers["Retry-After"] == "240"


def _refusal(book: RateBook, now_ms: int) -> VenueError:
    with pytest.raises(VenueError) as refusal:
        book.charge(now_ms, 1)
    return refusal.value


def test_the_301st_order_within_ten_seconds_is_refused() -> None:
    book = RateBook()
    for _ in range(300):
        book.charge_orders("a", 10_500, 1, 1)
    book.charge_orders("b", 10_500, 1, 1)
    with pytest.raises(VenueError) as refusal:
        book.charge_orders("a", 10_500, 1, 1)
    assert (refusal.value.code, refusal.value.status) == (-1015, 429)
    assert refusal.value.headers["Retry-After"] == "10"
    book.charge_orders("a", 20_000, 1, 1)


async def test_a_signature_and_a_key_never_reach_the_request_journal() -> None:
    async with bench() as venue:
        await venue.signed("GET", "/fapi/v1/openOrders", symbol="BTCUSDT")
        page = await venue.raw("GET", "/oracle/requests?since=0")
        row = page.json["requests"][0]
        assert (row["method"], row["path"], row["status"], row["account"]) == ("GET", "/fapi/v1/openOrders", 200, "acc")
        assert row["params"]["symbol"] == "BTCUSDT"
        assert "signature" not in page.text and KEY not in page.text


async def test_throughput_is_far_above_the_order_limit() -> None:
    async with bench() as venue:
        began_s = time.process_time()
        for _ in range(100):
            venue.floor.rates = RateBook()
            await venue.signed("POST", "/fapi/v1/order", in_body=True, symbol="BTCUSDT", side="BUY", type="LIMIT")
        assert (time.process_time() - began_s) / 100 < 0.02
