"""Recorded and documented REST replies are read without loss, and what cannot be read exactly is refused."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters import venue_parse as parse
from gridops.adapters.venue_parse import Malformed, grids, whole
from gridops.domain.vocabulary import Side
from tests.adapters.venue_kit import btc, payloads

FINE = "0.00000001"


def fine(*symbols: str) -> dict[str, parse.Grid]:
    """Documentation figures lie on no real grid; this one holds any eight places."""
    return grids(btc(symbol, tick=FINE, step=FINE) for symbol in symbols)


def legs(payload: Any) -> list[dict[str, Any]]:
    return payload if isinstance(payload, list) else [payload]


ORDER_REPLIES = [
    "POST_fapi_v1_order__*.json",
    "PUT_fapi_v1_order__*.json",
    "DELETE_fapi_v1_order__*.json",
    "GET_fapi_v1_order__*.json",
    "GET_fapi_v1_openOrder*__*.json",
    "GET_fapi_v1_allOrders__*.json",
    "*_fapi_v1_batchOrders__*.json",
]


@pytest.mark.parametrize("pattern", ORDER_REPLIES)
def test_every_order_reply_is_read(shared_data: Path, pattern: str) -> None:
    seen = 0
    for name, payload in payloads(shared_data / "protocol/binance_usdm/rest", pattern):
        for leg in legs(payload):
            if "orderId" not in leg:
                continue
            order = parse.order(leg, fine(leg["symbol"]))
            unit = Decimal(FINE)
            assert order.price_ticks * unit == Decimal(leg["price"]), name
            assert order.lots * unit == Decimal(leg["origQty"])
            assert order.filled_lots * unit == Decimal(leg["executedQty"])
            assert (order.client_id, order.venue_id) == (leg["clientOrderId"], str(leg["orderId"]))
            assert (order.side.value, order.status, order.tif) == (leg["side"], leg["status"], leg["timeInForce"])
            assert order.updated_ms > 0
            seen += 1
    assert seen


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_positions_keep_sign_and_money(shared_data: Path, version: str) -> None:
    for _, payload in payloads(shared_data / "protocol/binance_usdm/rest", f"GET_fapi_{version}_positionRisk__*.json"):
        for row in payload:
            held = parse.position(row, fine(row["symbol"]))
            assert held.lots * Decimal(FINE) == Decimal(row["positionAmt"])
            assert held.entry_price == Decimal(row["entryPrice"])
            assert held.liquidation_price == Decimal(row["liquidationPrice"])
            assert held.unrealised == Decimal(row["unRealizedProfit"])
            assert held.position_side == row["positionSide"]


def test_wallets_of_both_forms(shared_data: Path) -> None:
    rest = shared_data / "protocol/binance_usdm/rest"
    for _, payload in payloads(rest, "GET_fapi_v3_account__*.json"):
        found = {each.asset: each.wallet for each in parse.balances(payload)}
        assert found == {row["asset"]: Decimal(row["walletBalance"]) for row in payload["assets"]}
    for _, payload in payloads(rest, "GET_fapi_v2_balance__*.json"):
        assert [each.wallet for each in parse.balances(payload)] == [Decimal("122607.35137903")]


def test_trades_and_income_are_exact(shared_data: Path) -> None:
    rest = shared_data / "protocol/binance_usdm/rest"
    for _, payload in payloads(rest, "GET_fapi_v1_userTrades__*.json"):
        trade = parse.trade(payload[0], fine("BTCUSDT"))
        assert (trade.trade_id, trade.venue_id, trade.side) == (698759, "25851813", Side.SELL)
        assert trade.realised == Decimal("-0.91539999") and trade.fee == Decimal(payload[0]["commission"])
    for _, payload in payloads(rest, "GET_fapi_v1_income__*.json"):
        for row in payload:
            income = parse.income(row)
            assert (income.amount, income.tran_id) == (Decimal(row["income"]), "9689322392")
            assert income.trade_id == str(row["tradeId"])


def test_modes_come_from_one_reply(shared_data: Path) -> None:
    ((_, payload),) = payloads(shared_data / "protocol/binance_usdm/rest", "GET_fapi_v1_accountConfig__*.json")
    modes = parse.modes(payload)
    assert (modes.hedge, modes.multi_assets, modes.can_trade) == (True, False, True)


def test_rules_of_a_whole_venue_are_read(shared_data: Path) -> None:
    path = shared_data / "market/binance_usdm/reference/exchangeInfo_20210721_full.json.gz"
    payload = json.loads(gzip.decompress(path.read_bytes()))
    symbols = [row["symbol"] for row in payload["symbols"]]
    rules = {each.symbol: each for each in parse.instruments(payload, [*symbols, "NOSUCHUSDT"])}
    assert list(rules) == symbols
    btcusdt = rules["BTCUSDT"]
    assert (btcusdt.tick_size, btcusdt.step_size) == (Decimal("0.01"), Decimal("0.001"))
    assert (btcusdt.min_price_ticks, btcusdt.max_price_ticks) == (55_672, 100_000_000)
    assert (btcusdt.min_lots, btcusdt.max_lots, btcusdt.market_max_lots) == (1, 1_000_000, 1_000_000)
    assert (btcusdt.min_notional, btcusdt.percent_up, btcusdt.max_orders) == (Decimal(5), Decimal("1.15"), 200)
    for row in payload["symbols"]:
        assert rules[row["symbol"]].trading is (row["status"] == "TRADING")


def test_rules_whose_numbers_are_all_strings_are_read(shared_data: Path) -> None:
    path = shared_data / "market/binance_usdm/reference/exchangeInfo_202503_symbols_half.json.gz"
    rows = json.loads(gzip.decompress(path.read_bytes()))
    rows = rows["symbols"] if isinstance(rows, dict) else rows
    assert len([parse.instrument(row) for row in rows]) == 229


GOOD = {
    "symbol": "BTCUSDT", "clientOrderId": "a", "orderId": 1, "side": "BUY", "price": "60000.1", "origQty": "0.01",
    "executedQty": "0", "reduceOnly": False, "type": "LIMIT", "timeInForce": "GTC", "status": "NEW", "updateTime": 5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("price", "60000.15"), ("price", 60000.1), ("price", None), ("price", "NaN"), ("price", True),
        ("origQty", "0.0001"), ("side", "LONG"), ("orderId", "x"), ("orderId", 1.0), ("orderId", True),
        ("reduceOnly", 1), ("reduceOnly", "yes"), ("status", None), ("clientOrderId", 7), ("updateTime", "soon"),
        ("symbol", "ETHUSDT"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_read_exactly_is_refused(field: str, wrong: object) -> None:
    known = grids([btc()])
    assert parse.order(GOOD, known).price_ticks == 600_001
    with pytest.raises(Malformed):
        parse.order({**GOOD, field: wrong}, known)
    with pytest.raises(Malformed):
        parse.order(
            {name: each for name, each in GOOD.items() if name != field or field == "updateTime"}
            | ({"updateTime": []} if field == "updateTime" else {}),
            known,
        )


@pytest.mark.parametrize("wrong", [1 << 63, -(1 << 63) - 1, str(1 << 63), "9" * 5_000, "1.0", "", True, None, 1.0])
def test_a_number_that_is_no_long_is_refused(wrong: object) -> None:
    with pytest.raises(Malformed, match="64 bits"):
        whole({"id": wrong}, "id")


@pytest.mark.parametrize("right", [(1 << 63) - 1, -(1 << 63), 0])
def test_every_long_is_read_as_number_and_as_text(right: int) -> None:
    assert whole({"id": right}, "id") == whole({"id": str(right)}, "id") == right


def test_missing_filters_are_refused() -> None:
    row = {"symbol": "X", "marginAsset": "USDT", "status": "TRADING", "filters": []}
    with pytest.raises(Malformed, match="PRICE_FILTER"):
        parse.instrument(row)
