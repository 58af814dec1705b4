"""Bodies and events carry the fields, types and number style of recorded and documented venue payloads."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.venue.core import VenueError
from tests.venue.core_kit import START_MS, Desk, desk_with_book

REST, USER, MARKET = "rest", "ws_user", "ws_market"


def payload(shared_data: Path, name: str) -> Any:
    """One payload; a combined-stream envelope is opened, a list gives its first entry."""
    document = json.loads((shared_data / "protocol" / "binance_usdm" / name).read_text())
    if isinstance(document, dict) and "stream" in document:
        document = document["data"]
    return document[0] if isinstance(document, list) else document


def busy_desk() -> Desk:
    """A position, a resting order, a closed order, an amendment, funding known."""
    desk = desk_with_book()
    desk.mark("60000.12345678", next_funding_ms=START_MS + 3_600_000)
    desk.place("BUY", "0.500")
    order = desk.place("BUY", "0.100", "59990", timeInForce="GTX")
    desk.amend(order, "0.100", "59991", modifyId="5")
    desk.core.transfer("a", "USDT", Decimal(5))
    desk.tape(600000, 10, seller=True)
    return desk


def kinds(value: Any) -> Any:
    """Type of a JSON value; numbers as text and numbers are different kinds."""
    return "int" if isinstance(value, int) and not isinstance(value, bool) else type(value).__name__


# Fields of conditional orders and of other years, which this venue does not have.
LATER = {"st", "ps", "nq", "ap"}
"""Fields of the 2026 streams that older recordings lack."""
ELSEWHERE = {"activatePrice", "priceRate", "AP", "cr", "isAutoAddMargin", "code", "msg", "baseQty", "st", "ps", "nq"}


def assert_shaped(ours: dict[str, Any], theirs: dict[str, Any], *, text_numbers: bool = False) -> None:
    """Every field of theirs is ours, of the same JSON type (a recorder may have turned numbers into text)."""
    for name, value in theirs.items():
        if name in ELSEWHERE:
            continue
        assert name in ours, f"missing {name}"
        if not text_numbers and value != [] and value is not None:
            assert kinds(ours[name]) == kinds(value), name


@pytest.mark.parametrize(
    ("name", "path", "text_numbers"),
    [
        ("GET_fapi_v1_order__binance_connector_python__query_order.json", "v1/allOrders", False),
        ("GET_fapi_v1_openOrder__ccxt__fetchOpenOrder_gtx.json", "v1/openOrders", True),
        ("GET_fapi_v1_userTrades__binance_connector_python__account_trade_list.json", "v1/userTrades", False),
        ("GET_fapi_v1_income__binance_connector_python__get_income_history.json", "v1/income", False),
        ("GET_fapi_v3_positionRisk__ccxt__fetchPositions_long_1.json", "v3/positionRisk", True),
        ("GET_fapi_v2_positionRisk__binance_connector_python__position_information_v2.json", "v2/positionRisk", False),
        ("GET_fapi_v3_account__binance_connector_python__account_information_v3.json", "v3/account", False),
        ("GET_fapi_v2_account__go_binance__TestGetAccount_0.json", "v2/account", False),
        ("GET_fapi_v2_balance__binance_connector_python__futures_account_balance_v2.json", "v3/balance", False),
        ("GET_fapi_v1_symbolConfig__binance_connector_python__symbol_configuration.json", "v1/symbolConfig", False),
        (
            "GET_fapi_v1_accountConfig__binance_connector_python__futures_account_configuration.json",
            "v1/accountConfig",
            False,
        ),
        (
            "GET_fapi_v1_commissionRate__binance_connector_python__user_commission_rate.json",
            "v1/commissionRate",
            False,
        ),
        ("GET_fapi_v1_trades__gocryptotrader__gct.json", "v1/trades", False),
        ("GET_fapi_v1_aggTrades__gocryptotrader__gct.json", "v1/aggTrades", False),
        ("GET_fapi_v1_depth__gocryptotrader__gct.json", "v1/depth", False),
        ("GET_fapi_v1_premiumIndex__binance_connector_python__mark_price.json", "v1/premiumIndex", False),
        ("GET_fapi_v1_fundingInfo__gocryptotrader__gct.json", "v1/fundingInfo", False),
        ("GET_fapi_v1_ticker_24hr__gocryptotrader__gct.json", "v1/ticker/24hr", False),
        ("GET_fapi_v1_ticker_price__gocryptotrader__gct.json", "v1/ticker/price", False),
        ("GET_fapi_v1_ticker_bookTicker__gocryptotrader__gct_2.json", "v1/ticker/bookTicker", False),
    ],
)
def test_rest_reads(shared_data: Path, name: str, path: str, text_numbers: bool) -> None:
    theirs = payload(shared_data, f"{REST}/{name}")
    desk = busy_desk()
    ours = desk.call("GET", path, symbol=None if path == "v1/income" else "BTCUSDT")
    ours = ours[-1] if isinstance(ours, list) else ours
    assert_shaped(ours, theirs, text_numbers=text_numbers)
    for nested in ("assets", "positions"):
        if nested in theirs:
            assert_shaped(ours[nested][0], theirs[nested][0])


def test_rest_writes(shared_data: Path) -> None:
    desk = desk_with_book()
    placed = desk.place("BUY", "0.100", "59990")
    changed = desk.amend(placed, "0.100", "59991", modifyId="1")
    (line,) = desk.call("GET", "v1/orderAmendment", orderId=str(placed["orderId"]))
    cancelled = desk.call("DELETE", "v1/order", orderId=str(placed["orderId"]))
    connector = "binance_connector_python"
    for ours, name in (
        (placed, f"POST_fapi_v1_order__{connector}__new_order.json"),
        (changed, f"PUT_fapi_v1_order__{connector}__modify_order.json"),
        (cancelled, f"DELETE_fapi_v1_order__{connector}__cancel_order.json"),
        (line, f"GET_fapi_v1_orderAmendment__{connector}__get_order_modify_history.json"),
    ):
        assert_shaped(ours, payload(shared_data, f"{REST}/{name}"))


def test_exchange_info(shared_data: Path) -> None:
    theirs = json.loads(
        (shared_data / "protocol/binance_usdm/rest/GET_fapi_v1_exchangeInfo__gocryptotrader__gct_6.json").read_text()
    )
    ours = desk_with_book().call("GET", "v1/exchangeInfo")
    assert_shaped(ours, theirs)
    assert_shaped(ours["symbols"][0], theirs["symbols"][0])
    same = {tuple(sorted(rule.items())) for rule in ours["rateLimits"]}
    assert same == {tuple(sorted(rule.items())) for rule in theirs["rateLimits"]}
    filters = {rule["filterType"]: rule for rule in ours["symbols"][0]["filters"]}
    assert len(filters) == 8
    for rule in theirs["symbols"][0]["filters"]:
        assert_shaped(filters[rule["filterType"]], rule)


def events(desk: Desk, kind: str) -> list[dict[str, Any]]:
    """Drained private events of one kind."""
    return [event for event in desk.private() if event["e"] == kind]


def test_a_recorded_order_life_has_the_same_fields_in_the_same_order(shared_data: Path) -> None:
    name = "sequence.LimitSubmittedFilled__Lean.Brokerages.Binance__WebSocketFutureLimitSubmittedFilled.json"
    recorded = json.loads((shared_data / "protocol/binance_usdm" / USER / name).read_text())
    desk = desk_with_book()
    desk.place("BUY", "0.800", "60005")
    ours = events(desk, "ORDER_TRADE_UPDATE")
    assert len(ours) == len(recorded)
    for mine, theirs in zip(ours, recorded, strict=True):
        assert {k: kinds(v) for k, v in mine["o"].items()} == {k: kinds(v) for k, v in theirs["o"].items()}
        assert (mine["o"]["x"], mine["o"]["X"]) == (theirs["o"]["x"], theirs["o"]["X"])
        for field in ("f", "o", "ap", "sp", "l", "z", "L", "n", "N", "t", "m", "R", "wt", "ot", "ps", "rp", "pP", "V"):
            if theirs["o"]["x"] == "NEW":
                assert mine["o"][field] == theirs["o"][field], field
        assert mine.keys() == theirs.keys()


def test_user_events(shared_data: Path) -> None:
    desk = desk_with_book()
    order = desk.place("BUY", "0.500")
    told = desk.private()
    kinds_told = [event["e"] for event in told]
    assert kinds_told == ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
    assert order["status"] == "FILLED"
    assert_shaped(told[1], payload(shared_data, f"{USER}/TRADE_LITE__Binance.Net__TradeUpdate.json"))
    theirs = payload(shared_data, f"{USER}/ACCOUNT_UPDATE.ORDER__Binance.Net__AccountUpdate.json")
    assert_shaped(told[2], theirs)
    assert_shaped(told[2]["a"]["B"][0], theirs["a"]["B"][0])
    mine = told[2]["a"]["P"][0]
    assert {**theirs["a"]["P"][0], **mine}.keys() == mine.keys()
    amend = payload(shared_data, f"{USER}/ORDER_TRADE_UPDATE.AMENDMENT.NEW__constructed__constructed_amendment.json")
    resting = desk.place("BUY", "0.100", "59990")
    desk.core.drain()
    desk.amend(resting, "0.100", "59991")
    assert_shaped(desk.private()[0]["o"], amend["o"])
    desk.call("POST", "v1/leverage", leverage="10")
    config = payload(shared_data, f"{USER}/ACCOUNT_CONFIG_UPDATE.leverage__Binance.Net__Leverage.json")
    assert_shaped(desk.private()[0], config)


def test_liquidation_and_margin_call_events(shared_data: Path) -> None:
    desk = Desk(wallet="1000")
    desk.book([(600000, 1000)], [(600001, 1000)])
    desk.place("BUY", "0.300")
    desk.core.drain()
    desk.mark("56980")
    call = payload(shared_data, f"{USER}/MARGIN_CALL__Binance.Net__MarginUpdate.json")
    (mine,) = desk.private()
    assert_shaped(mine, call)
    assert mine["p"][0].keys() == call["p"][0].keys()
    desk.mark("56000")
    closed = payload(
        shared_data, f"{USER}/ORDER_TRADE_UPDATE.CALCULATED.FILLED__constructed__constructed_liquidation.json"
    )
    assert_shaped(events(desk, "ORDER_TRADE_UPDATE")[-1]["o"], closed["o"])


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        ("depth@0ms", "depthUpdate__crypto_msg_parser__linear_swap_0.json"),
        ("bookTicker", "bookTicker__crypto_msg_parser__linear_swap_0.json"),
        ("aggTrade", "aggTrade__crypto_msg_parser__linear_future_0.json"),
        ("markPrice@1s", "markPriceUpdate__crypto_msg_parser__linear_swap_all_0.json"),
    ],
)
def test_public_events(shared_data: Path, stream: str, name: str) -> None:
    desk = busy_desk()
    ours = desk.stream(stream)[-1]
    theirs = payload(shared_data, f"{MARKET}/{name}")
    assert_shaped(ours, theirs)
    assert ours.keys() - LATER == theirs.keys()


def test_a_recorded_trade_has_our_fields() -> None:
    desk = busy_desk()
    assert list(desk.stream("trade")[-1]) == ["e", "E", "T", "s", "t", "p", "q", "X", "m"]


def test_error_texts_are_the_observed_ones(shared_data: Path) -> None:
    lines = (shared_data / "protocol/errors/binance_usdm_errors.jsonl").read_text().splitlines()
    observed: dict[int, set[str]] = {}
    for line in lines:
        row = json.loads(line)
        if row["body_is_json"] and isinstance(body := json.loads(row["body"]), dict):
            observed.setdefault(body["code"], set()).add(body["msg"])
    desk = desk_with_book()
    order = desk.place("BUY", "0.010", "59990")
    refused: list[tuple[str, str, dict[str, str]]] = [
        ("POST", "v1/order", {"timeInForce": "GTX", "price": "60000.1"}),
        ("POST", "v1/order", {"price": "59990.05"}),
        ("POST", "v1/order", {"quantity": "0.001"}),
        ("POST", "v1/order", {"quantity": "900"}),
        ("POST", "v1/order", {"type": "ICEBERG"}),
        ("POST", "v1/order", {"reduceOnly": "true"}),
        ("DELETE", "v1/order", {"orderId": "1"}),
        ("GET", "v1/order", {"orderId": "1"}),
        ("PUT", "v1/order", {"orderId": str(order["orderId"])}),
    ]
    base = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010", "price": "59990"}
    for method, path, change in refused:
        with pytest.raises(VenueError) as caught:
            desk.call(method, path, **{**base, **change})
        assert caught.value.message in observed[caught.value.code], caught.value
