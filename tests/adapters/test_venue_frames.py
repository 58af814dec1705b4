"""Each private frame becomes an input: fills exact, unknown kinds reported, nothing able to break the stream."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.venue_frames import DECODER, read
from gridops.adapters.venue_parse import Grid, grids
from gridops.domain.events import AccountReport, OrderReport, VenueNotice
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.venue_kit import btc, payloads

FINE = "0.00000001"
KNOWN = grids(btc(symbol, tick=FINE, step=FINE) for symbol in ("BTCUSDT", "ACHUSDT", "1000CATUSDT"))


def shown(payload: object) -> str:
    return json.dumps(payload, default=str)[:200]


def events(payload: Any, known: dict[str, Grid] = KNOWN) -> tuple[Any, ...]:
    return read(DECODER.decode(json.dumps(payload).encode()), known, shown)


def frames(shared_data: Path) -> list[tuple[str, dict[str, Any]]]:
    found = payloads(shared_data / "protocol/binance_usdm/ws_user", "*.json")
    return [(name, frame) for name, each in found for frame in (each if isinstance(each, list) else [each])]


def test_every_recorded_frame_becomes_an_input(shared_data: Path) -> None:
    for name, frame in frames(shared_data):
        found = events(frame)
        assert found, name
        kinds: dict[str, Any] = {"ORDER_TRADE_UPDATE": OrderReport, "ACCOUNT_UPDATE": AccountReport}
        assert isinstance(found[0], kinds.get(frame["e"], VenueNotice)), (name, found)
        assert found[0].event_ms == frame["E"]
        if isinstance(found[0], VenueNotice):
            assert found[0].kind == frame["e"]


def test_order_reports_carry_every_field_exactly(shared_data: Path) -> None:
    unit = Decimal(FINE)
    for _, frame in frames(shared_data):
        if frame["e"] != "ORDER_TRADE_UPDATE":
            continue
        (report,) = events(frame)
        raw = frame["o"]
        assert isinstance(report, OrderReport)
        assert (report.client_id, report.venue_id, report.symbol) == (raw["c"], str(raw["i"]), raw["s"])
        assert (report.execution, report.status, report.trade_id) == (raw["x"], raw["X"], raw["t"])
        counted = (report.price_ticks, report.lots, report.filled_lots, report.last_lots, report.last_ticks)
        assert [each * unit for each in counted] == [Decimal(raw[key]) for key in "pqzlL"]
        assert (report.fee, report.realised) == (Decimal(raw["n"]), Decimal(raw["rp"]))
        assert (report.maker, report.reduce_only, report.trade_ms) == (raw["m"], raw["R"], raw["T"])


def test_a_fill_of_the_recorded_sequence(shared_data: Path) -> None:
    fills = [
        report
        for name, frame in frames(shared_data)
        if "LimitSubmittedFilled" in name
        for report in events(frame)
        if report.trade_id
    ]
    assert [(f.trade_id, f.fee, f.fee_asset, f.last_lots) for f in fills] == [
        (258307413, Decimal("0.002644"), "USDT", 800 * 10**8)
    ]


def test_account_updates_carry_one_way_positions_and_name_the_others(shared_data: Path) -> None:
    for name, frame in frames(shared_data):
        if not name.startswith("ACCOUNT_UPDATE.ORDER"):
            continue
        report, *notices = events(frame)
        assert report.reason == "ORDER"
        assert (report.balances[0].asset, report.balances[0].wallet) == ("USDT", Decimal("122624.12345678"))
        assert report.positions == (("BTCUSDT", 0, Decimal("0.00000")),)
        assert [(n.kind, n.symbol, n.detail) for n in notices] == [
            ("hedge_position", "BTCUSDT", "LONG 20"),
            ("hedge_position", "BTCUSDT", "SHORT -10"),
        ]


def test_foreign_symbols_are_reported_as_such(shared_data: Path) -> None:
    for _, frame in frames(shared_data):
        if frame["e"] == "ORDER_TRADE_UPDATE":
            (notice,) = events(frame, {})
            assert (notice.kind, notice.symbol) == ("foreign_symbol", frame["o"]["s"])
        elif frame["e"] == "ACCOUNT_UPDATE":
            report, *notices = events(frame, {})
            assert report.balances and not report.positions
            assert {n.kind for n in notices} <= {"foreign_symbol"} and len(notices) == len(frame["a"]["P"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("eEoaTsBPmiX"), inner, max_size=5),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "MARGIN_CALL", "NEW_KIND"]))
def test_no_frame_breaks_the_reader(payload: Any, kind: str) -> None:
    if isinstance(payload, dict):
        payload["e"] = kind
    found = read(payload, KNOWN, shown)
    assert found and all(isinstance(each, OrderReport | AccountReport | VenueNotice) for each in found)


@pytest.mark.parametrize("key", ["s", "c", "S", "x", "X", "i", "p", "q", "z", "l", "L", "m", "R", "T"])
def test_an_order_report_without_a_needed_field_is_malformed(shared_data: Path, key: str) -> None:
    frame = next(frame for name, frame in frames(shared_data) if "LimitSubmittedFilled" in name)
    del frame["o"][key]
    (notice,) = events(frame)
    assert isinstance(notice, VenueNotice) and notice.kind == "malformed"
