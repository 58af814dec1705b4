"""A venue process announces itself once, can be attached to, keeps its account over restarts, and leaves no trace."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from gridops.errors import ConfigError, VenueUnavailable
from gridops.venue.handle import VenueHandle, attach, spawn
from gridops.venue.options import VenueOptions, as_arguments, market_time_ms, parse
from gridops.venue.server.auth import signature_of

pytestmark = pytest.mark.wire


@pytest.fixture
def options(tmp_path: Path) -> VenueOptions:
    return VenueOptions(store=tmp_path / "venue", market="synthetic:7", idle_exit_s=30)


@pytest.fixture
def venue(options: VenueOptions) -> Iterator[VenueHandle]:
    handle = spawn(options)
    yield handle
    if handle.process is not None and handle.process.poll() is None:
        handle.process.kill()
        handle.process.wait()


def signed(venue: VenueHandle, method: str, path: str, query: str = "") -> dict[str, object]:
    import http.client

    query += f"&timestamp={int(time.time() * 1_000)}"
    query = query.lstrip("&")
    target = f"{path}?{query}&signature={signature_of(venue.api_secret, query)}"
    connection = http.client.HTTPConnection(venue.rest.removeprefix("http://"), timeout=5)
    connection.request(method, target, headers={"X-MBX-APIKEY": venue.api_key})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return dict(answer)


def place(venue: VenueHandle, client_id: str) -> None:
    last = venue.truth()
    assert last
    price = "60000"
    query = (
        f"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price}&newClientOrderId={client_id}"
    )
    answer = signed(venue, "POST", "/fapi/v1/order", query)
    if "code" in answer:
        query = query.replace(price, "64500")
        answer = signed(venue, "POST", "/fapi/v1/order", query)
    assert answer.get("clientOrderId") == client_id, answer


def order_ids(venue: VenueHandle) -> list[str]:
    query = "symbol=BTCUSDT"
    import http.client

    query += f"&timestamp={int(time.time() * 1_000)}"
    target = f"/fapi/v1/openOrders?{query}&signature={signature_of(venue.api_secret, query)}"
    connection = http.client.HTTPConnection(venue.rest.removeprefix("http://"), timeout=5)
    connection.request("GET", target, headers={"X-MBX-APIKEY": venue.api_key})
    rows = json.loads(connection.getresponse().read())
    connection.close()
    return [row["clientOrderId"] for row in rows]


def test_the_note_is_private_and_a_later_client_finds_the_same_venue(venue: VenueHandle, options: VenueOptions) -> None:
    note = options.store / "venue.json"
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert stat.S_IMODE(options.store.stat().st_mode) == 0o700
    again = attach(options.store)
    assert again is not None and again.note == venue.note
    assert venue.api_secret not in repr(again) and venue.control_token not in repr(again)
    assert again.summary()["pid"] == venue.pid


def test_an_orderly_stop_keeps_the_account_and_removes_the_note(venue: VenueHandle, options: VenueOptions) -> None:
    place(venue, "keep1")
    venue.stop()
    assert venue.process is not None and venue.process.returncode == 0
    assert attach(options.store) is None and not (options.store / "venue.json").exists()
    again = spawn(options)
    try:
        assert (again.account, again.api_key, again.api_secret) == (venue.account, venue.api_key, venue.api_secret)
        assert order_ids(again) == ["keep1"]
    finally:
        again.stop()


def test_sigterm_is_an_orderly_stop(venue: VenueHandle, options: VenueOptions) -> None:
    place(venue, "keep2")
    os.kill(venue.pid, signal.SIGTERM)
    assert venue.process is not None and venue.process.wait(10) == 0
    assert not (options.store / "venue.json").exists()


def test_a_killed_venue_comes_back_with_what_was_written_behind(venue: VenueHandle, options: VenueOptions) -> None:
    place(venue, "keep3")
    time.sleep(1.5)
    os.kill(venue.pid, signal.SIGKILL)
    assert venue.process is not None
    venue.process.wait(10)
    assert attach(options.store) is None
    again = spawn(options)
    try:
        assert again.account == venue.account and order_ids(again) == ["keep3"]
    finally:
        again.stop()


def test_the_venue_outlives_its_parent(options: VenueOptions) -> None:
    code = (
        "import sys; from gridops.venue.handle import spawn; from gridops.venue.options import parse;"
        "print(spawn(parse(sys.argv[1:])).pid)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *as_arguments(options)], capture_output=True, text=True, timeout=60, check=True
    )
    handle = attach(options.store)
    assert handle is not None and handle.pid == int(done.stdout)
    handle.stop()


def test_two_venues_never_share_a_store(venue: VenueHandle, options: VenueOptions) -> None:
    with pytest.raises(VenueUnavailable, match=f"pid {venue.pid}"):
        spawn(options)
    assert venue.alive()


def test_a_market_that_cannot_be_opened_is_named(options: VenueOptions, tmp_path: Path) -> None:
    for market in ("nonsense", f"recorded:{tmp_path / 'absent.gz'}", "synthetic:1:nope"):
        bad = VenueOptions(store=options.store, market=market)
        with pytest.raises(VenueUnavailable, match="did not start"):
            spawn(bad)


@pytest.mark.parametrize("name", ["state.bin", "keys.json"])
def test_a_damaged_store_is_refused_without_a_traceback(venue: VenueHandle, options: VenueOptions, name: str) -> None:
    venue.stop()
    (options.store / name).write_bytes(b"\x00garbage")
    with pytest.raises(VenueUnavailable, match=r"not readable|damaged"):
        spawn(options)
    assert "Traceback" not in (options.store / "venue.log").read_text()


def test_an_idle_process_ends_by_itself(options: VenueOptions) -> None:
    handle = spawn(VenueOptions(store=options.store, market="synthetic:7", idle_exit_s=1))
    assert handle.process is not None and handle.process.wait(15) == 0


def test_starting_is_quick_and_needs_no_exchange_library(options: VenueOptions) -> None:
    code = "import sys, gridops.venue.process, gridops.venue.assembly; sys.exit('ccxt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
    light = "import sys, gridops.venue.handle; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", light], timeout=60).returncode == 0


def test_an_older_release_answers_in_full_and_takes_stops_on_the_order_route(options: VenueOptions) -> None:
    for switches in (("legacy-replies", "older-conditionals"), ()):
        handle = spawn(replace(options, fidelity=switches))
        try:
            stop = "symbol=BTCUSDT&side=BUY&type=STOP_MARKET&quantity=0.01&stopPrice=90000"
            answer = signed(handle, "POST", "/fapi/v1/order", stop)
            older = bool(switches)
            assert answer.get("code", 0) == (0 if older else -4120)
            assert ("avgPrice" in answer) is older
        finally:
            handle.stop()


def test_options_travel_over_the_command_line() -> None:
    given = VenueOptions(
        store=Path("s"), market="recorded:a,b", port=1, speed=Decimal("2.5"), from_ms=5, loop=True, seed=3,
        idle_exit_s=7, clock="manual", faults=Path("f"), wallet=Decimal("12.5"), hold=True,
        fidelity=("legacy-replies", "either-first"),
    )  # fmt: skip
    assert parse(as_arguments(given)) == given


@pytest.mark.parametrize(
    "bad", [["--speed", "0"], ["--speed", "nan"], ["--wallet", "-1"], ["--port", "70000"], ["--from", "noon"]]
)
def test_bad_options_are_refused(bad: list[str]) -> None:
    with pytest.raises(ConfigError):
        parse(["--store", "s", *bad])


def test_market_times() -> None:
    assert market_time_ms("1721347200000") == market_time_ms("2024-07-19T00:00:00Z") == market_time_ms("2024-07-19")
