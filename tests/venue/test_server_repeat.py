"""With a manual clock the composed venue is the same run twice: equal steps, equal fills, books and requests."""

import http.client
import json
from pathlib import Path
from typing import Any

import pytest
from gridops.venue.handle import VenueHandle, spawn
from gridops.venue.options import VenueOptions
from gridops.venue.server.auth import signature_of

pytestmark = pytest.mark.wire


def _order(venue: VenueHandle, now_ms: int, side: str, price: str, client_id: str) -> Any:
    query = (
        f"symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price}"
        f"&newClientOrderId={client_id}&timestamp={now_ms}"
    )
    connection = http.client.HTTPConnection(venue.rest.removeprefix("http://"), timeout=5)
    body = f"{query}&signature={signature_of(venue.api_secret, query)}"
    connection.request("POST", "/fapi/v1/order", body, {"X-MBX-APIKEY": venue.api_key})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def _run(store: Path) -> str:
    venue = spawn(VenueOptions(store=store, market="synthetic:9", clock="manual", idle_exit_s=60))
    try:
        now_ms = venue.summary()["now_ms"]
        for step in range(8):
            now_ms = venue.command("advance", {"ms": 2_500})["now_ms"]
            _order(venue, now_ms, "BUY", f"{64_990 + 2 * step}.0", f"b{step}")
            _order(venue, now_ms, "SELL", f"{65_010 - 2 * step}.0", f"s{step}")
        venue.command("advance", {"ms": 60_000})
        truth, requests = venue.truth(), venue.requests()
        account = venue.account
    finally:
        venue.stop()
    assert truth["fills"] and truth["violations"] == []
    return json.dumps([truth, requests], sort_keys=True).replace(account, "account")


def test_two_runs_are_equal(tmp_path: Path) -> None:
    assert _run(tmp_path / "one") == _run(tmp_path / "two")
