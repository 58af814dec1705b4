"""Wallets change only by income rows; profit, fees, funding, margin and liquidation add up by hand."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples
from tests.venue.core_kit import START_MS, Desk, desk_with_book

D = Decimal
FUNDING_MS = START_MS - START_MS % 28_800_000 + 28_800_000


def income(desk: Desk, account: str = "a", **params: Any) -> list[dict[str, Any]]:
    """Income rows as the venue lists them."""
    rows: list[dict[str, Any]] = desk.call("GET", "v1/income", account, symbol=None, limit="1000", **params)
    return rows


def conserved(desk: Desk, account: str = "a") -> bool:
    """Opening wallet plus income is the wallet, for every asset."""
    truth = desk.core.truth()
    state = truth["accounts"][account]
    totals = {asset: D(amount) for asset, amount in state["opening"].items()}
    for row in truth["income"]:
        if row["account"] == account:
            totals[row["asset"]] = totals.get(row["asset"], D(0)) + D(row["income"])
    return totals == {asset: D(amount) for asset, amount in state["wallet"].items()} and not truth["violations"]


def test_a_round_trip_pays_profit_and_both_fees() -> None:
    desk = desk_with_book()
    desk.place("BUY", "0.100")
    desk.book([(601000, 1000)], [(601001, 1000)])
    desk.place("SELL", "0.100", "60100.1")
    desk.diff(bids=[(601001, 200)], asks=[(601001, 0), (601009, 10)])
    # bought 0.1 at 60000.1 as taker, sold 0.1 at 60100.1 as maker
    fees = D("6000.01") * D("0.0005") + D("6010.01") * D("0.0002")
    assert desk.wallet() == D(100000) + 10 - fees
    kinds = [(row["incomeType"], row["income"]) for row in income(desk)]
    assert kinds == [("COMMISSION", "-3.00000500"), ("REALIZED_PNL", "10.00000000"), ("COMMISSION", "-1.20200200")]
    assert conserved(desk)


def test_turning_a_position_realises_only_the_closed_part() -> None:
    desk = desk_with_book()
    desk.place("BUY", "0.100")
    desk.book([(601000, 1000)], [(601001, 1000)])
    desk.place("SELL", "0.300")
    (row,) = desk.call("GET", "v3/positionRisk")
    assert (row["positionAmt"], row["entryPrice"]) == ("-0.200", "60100")
    assert [r["income"] for r in income(desk, incomeType="REALIZED_PNL")] == ["9.99000000"]


def test_adding_averages_the_entry_and_reducing_keeps_it() -> None:
    desk = Desk()
    desk.book([(599990, 1000)], [(600000, 100), (600100, 300)])
    desk.place("BUY", "0.400")
    assert desk.call("GET", "v3/positionRisk")[0]["entryPrice"] == "60007.5"
    desk.place("SELL", "0.100")
    assert desk.call("GET", "v3/positionRisk")[0]["entryPrice"] == "60007.5"


def test_break_even_lies_behind_the_entry_on_the_losing_side() -> None:
    desk = desk_with_book()
    desk.place("BUY", "1")
    desk.place("SELL", "1", account="b")
    (bought,), (sold,) = (desk.call("GET", "v3/positionRisk", name) for name in ("a", "b"))
    # recorded: entry 67445.9, break-even 67479.62295, that is entry x 1.0005
    assert D(bought["breakEvenPrice"]) == D(bought["entryPrice"]) * D("1.0005")
    assert D(sold["breakEvenPrice"]) == D(sold["entryPrice"]) * D("0.9995")


def test_fees_in_bnb_while_the_wallet_has_enough() -> None:
    desk = desk_with_book()
    desk.core.transfer("a", "BNB", D("0.006"))
    desk.core.set_asset_price("BNB", D(500))
    desk.call("POST", "v1/feeBurn", feeBurn="true")
    assert desk.call("GET", "v1/feeBurn") == {"feeBurn": True}
    desk.core.drain()
    desk.place("BUY", "0.100")
    event = next(e["o"] for e in desk.private() if e.get("o", {}).get("x") == "TRADE")
    assert (event["N"], event["n"]) == ("BNB", "0.00540001")
    desk.place("BUY", "0.100")
    last = [row for row in income(desk) if row["incomeType"] == "COMMISSION"][-1]
    assert last["asset"] == "USDT"
    assert conserved(desk)


def test_funding_is_paid_by_longs_at_its_time() -> None:
    desk = desk_with_book()
    desk.place("BUY", "0.500")
    desk.place("SELL", "0.500", account="b")
    desk.mark("60000", rate="0.0002", next_funding_ms=START_MS + 1000)
    desk.core.drain()
    assert desk.core.next_deadline_ms() == START_MS + 1000
    desk.core.advance(START_MS + 999)
    assert income(desk, incomeType="FUNDING_FEE") == []
    desk.core.advance(START_MS + 5000)
    (paid,), (got,) = (income(desk, name, incomeType="FUNDING_FEE") for name in ("a", "b"))
    assert (paid["income"], got["income"], paid["time"]) == ("-6.00000000", "6.00000000", START_MS + 1000)
    (event,) = desk.private()
    assert (event["a"]["m"], event["a"]["B"][0]["bc"], event["a"]["P"]) == ("FUNDING_FEE", "-6", [])
    (settled,) = desk.core.call(None, "GET", "/fapi/v1/fundingRate", {"symbol": "BTCUSDT"}, START_MS)
    assert (settled["fundingTime"], settled["fundingRate"]) == (START_MS + 1000, "0.00020000")
    assert conserved(desk) and conserved(desk, "b")


def test_without_a_source_funding_comes_at_the_eight_hour_marks() -> None:
    desk = desk_with_book()
    desk.place("BUY", "0.500")
    desk.core.advance(FUNDING_MS + 28_800_000)
    assert [row["time"] for row in income(desk, incomeType="FUNDING_FEE")] == [FUNDING_MS, FUNDING_MS + 28_800_000]


def test_transfers_are_income_rows_with_stable_ids() -> None:
    desk = desk_with_book()
    desk.core.transfer("a", "USDT", D("-0.375"))
    (row,) = income(desk)
    assert (row["incomeType"], row["income"], row["symbol"], row["tradeId"]) == ("TRANSFER", "-0.37500000", "", "")
    desk.place("BUY", "0.100")
    rows = income(desk)
    assert rows[0] == row and len({r["tranId"] for r in rows}) == len(rows)
    assert conserved(desk)


def test_income_filters_pages_and_order() -> None:
    desk = desk_with_book()
    for amount in range(1, 8):
        desk.core.transfer("a", "USDT", D(amount))
    newest = desk.call("GET", "v1/income", symbol=None, limit="3")
    assert [row["income"] for row in newest] == ["5.00000000", "6.00000000", "7.00000000"]
    page = desk.call("GET", "v1/income", symbol=None, limit="3", page="2", startTime=str(START_MS))
    assert [row["income"] for row in page] == ["4.00000000", "5.00000000", "6.00000000"]
    assert desk.call("GET", "v1/income") == []


def test_a_margin_call_comes_once_and_then_the_liquidation() -> None:
    desk = Desk(wallet="1000")
    desk.book([(600000, 1000)], [(600001, 1000)])
    desk.mark("60000")
    desk.place("BUY", "0.300", "60000.1")
    desk.place("SELL", "0.010", "60500", reduceOnly="true")
    desk.core.drain()
    price = D(desk.call("GET", "v3/positionRisk")[0]["liquidationPrice"])
    desk.mark("56980")
    desk.mark("56979")
    assert [event["e"] for event in desk.private()] == ["MARGIN_CALL"]
    desk.mark(str(price + D("0.1")))
    assert desk.lots() == 300
    desk.mark(str(price - D("0.1")))
    assert desk.lots() == 0
    events = [event["o"] for event in desk.private() if event["e"] == "ORDER_TRADE_UPDATE"]
    assert (events[0]["X"], events[0]["er"]) == ("EXPIRED", "5")
    assert (events[-1]["x"], events[-1]["X"], events[-1]["o"]) == ("CALCULATED", "FILLED", "LIQUIDATION")
    assert events[-1]["c"].startswith("autoclose-")
    assert conserved(desk)


def test_a_wallet_below_zero_is_made_good_by_an_income_row() -> None:
    desk = Desk(wallet="1000")
    desk.book([(600000, 1000)], [(600001, 1000)])
    desk.place("BUY", "0.300")
    desk.book([(500000, 100)], [(500001, 100)])
    desk.mark("50000")
    assert (desk.lots(), desk.wallet()) == (0, D(0))
    assert income(desk)[-1]["incomeType"] == "INSURANCE_CLEAR"
    assert conserved(desk)


def test_account_figures_agree_with_each_other() -> None:
    desk = desk_with_book()
    desk.place("BUY", "0.500")
    desk.place("BUY", "0.100", "59990")
    desk.place("SELL", "2", "60010")
    desk.mark("60100")
    body = desk.call("GET", "v3/account", symbol=None)
    value = {name: D(text) for name, text in body.items() if isinstance(text, str)}
    assert value["totalUnrealizedProfit"] == D("49.95")
    assert value["totalPositionInitialMargin"] == D(30050) / 20
    # the worse side: short 2 x 60010 less the long worth 30050
    worst = 2 * D(60010) - 30050
    assert value["totalInitialMargin"] == worst / 20
    assert value["totalMarginBalance"] == value["totalWalletBalance"] + value["totalUnrealizedProfit"]
    assert value["availableBalance"] == value["totalMarginBalance"] - value["totalInitialMargin"]
    assert value["totalMaintMargin"] == D(30050) * D("0.004")


def test_modes_and_leverage() -> None:
    desk = desk_with_book()
    assert desk.refusal("POST", "v1/positionSide/dual", dualSidePosition="false") == -4059
    assert desk.refusal("POST", "v1/marginType", marginType="CROSSED") == -4046
    assert desk.refusal("POST", "v1/leverage", leverage="126") == -4028
    assert desk.refusal("POST", "v1/leverage", leverage="0") == -4028
    desk.place("BUY", "0.100", "59990")
    assert desk.refusal("POST", "v1/positionSide/dual", dualSidePosition="true") == -4067
    assert desk.refusal("POST", "v1/marginType", marginType="ISOLATED") == -4047
    desk.call("DELETE", "v1/allOpenOrders")
    desk.place("BUY", "0.100")
    assert desk.refusal("POST", "v1/positionSide/dual", dualSidePosition="true") == -4068
    assert desk.refusal("POST", "v1/marginType", marginType="ISOLATED") == -4048
    desk.place("SELL", "0.100")
    desk.core.drain()
    assert desk.call("POST", "v1/leverage", leverage="25")["leverage"] == 25
    (event,) = desk.private()
    assert (event["e"], event["ac"]) == ("ACCOUNT_CONFIG_UPDATE", {"s": "BTCUSDT", "l": 25})
    desk.call("POST", "v1/positionSide/dual", dualSidePosition="true")
    assert desk.refused_place("BUY", "0.100") == -4061
    assert desk.refused_place("BUY", "0.100", positionSide="LONG", reduceOnly="true") == -1106
    assert desk.call("GET", "v1/positionSide/dual") == {"dualSidePosition": True}


@settings(max_examples=examples(100), deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 40), st.integers(-300, 300)), min_size=1, max_size=25
    )
)
def test_equity_is_cash_flow_whatever_is_traded(trades: list[tuple[str, int, int]]) -> None:
    desk = Desk(wallet="1000000")
    cash = D(0)
    for side, lots, drift in trades:
        desk.book([(600000 + drift, 1000)], [(600001 + drift, 1000)])
        desk.place(side, str(D(lots * 2) / 1000))
        price = D(600001 + drift if side == "BUY" else 600000 + drift) / 10
        worth = price * lots * 2 / 1000
        cash += (-worth if side == "BUY" else worth) - worth * D("0.0005")
    held = sum(lots * 2 * (1 if side == "BUY" else -1) for side, lots, _ in trades)
    state = desk.core.truth()["accounts"]["a"]
    entry = D(state["positions"]["BTCUSDT"]["entry"])
    booked = D(state["wallet"]["USDT"]) - 1000000
    assert state["positions"]["BTCUSDT"]["lots"] == held
    assert booked - entry * held / 1000 == pytest.approx(cash, abs=D("0.000001") * (len(trades) + 1))
    assert conserved(desk)


def test_another_default_rounding_in_the_process_changes_no_money() -> None:
    told = []
    for rounding in (ROUND_HALF_EVEN, ROUND_HALF_UP):
        with localcontext() as context:
            context.rounding = rounding
            desk = Desk()
            desk.book([(599990, 1000)], [(600000, 1), (600003, 300)])
            desk.place("BUY", "0.004")
            desk.mark("60007.22500125")
            told.append([desk.core.truth()["accounts"], desk.call("GET", "v3/account"), desk.private()])
    assert told[0] == told[1]
