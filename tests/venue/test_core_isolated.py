"""Isolated margin: a wallet by position, its margin calls and liquidation, and the moving of margin by hand."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from gridops.venue.core import VenueCore
from gridops.venue.market.events import BookSnapshot, MarkPrice
from tests.venue.core_kit import BTC, START_MS, D, Desk, desk_with_book


def isolated(*, wallet: str = "100000", leverage: str = "20", dual: bool = False) -> Desk:
    """A desk whose symbol is isolated."""
    desk = desk_with_book(wallet=wallet)
    desk.call("POST", "v1/marginType", marginType="ISOLATED")
    desk.call("POST", "v1/leverage", leverage=leverage)
    if dual:
        desk.call("POST", "v1/positionSide/dual", symbol=None, dualSidePosition="true")
    desk.core.drain()
    return desk


def risk(desk: Desk, side: str = "BOTH") -> dict[str, Any]:
    """The row of positionRisk."""
    (row,) = [row for row in desk.call("GET", "v2/positionRisk") if row["positionSide"] == side]
    found: dict[str, Any] = row
    return found


def own(desk: Desk, side: str = "BOTH") -> Any:
    """Isolated wallet of the position."""
    return D(risk(desk, side)["isolatedWallet"])


def cross(desk: Desk) -> Any:
    """Cross wallet balance."""
    return D(desk.call("GET", "v3/account", symbol=None)["totalCrossWalletBalance"])


def move(desk: Desk, amount: str, kind: int, **more: Any) -> Any:
    """POST positionMargin."""
    return desk.call("POST", "v1/positionMargin", amount=amount, type=str(kind), **more)


def refused_move(desk: Desk, amount: str, kind: int, **more: Any) -> int:
    """The code that moving margin is refused with."""
    return desk.refusal("POST", "v1/positionMargin", amount=amount, type=str(kind), **more)


def test_a_fill_moves_its_initial_margin_and_a_close_brings_it_back() -> None:
    desk = isolated()
    desk.place("BUY", "0.300")
    assert own(desk) == D("60000.1") * D("0.3") / 20
    assert cross(desk) == desk.wallet() - own(desk)
    desk.place("SELL", "0.100")
    assert own(desk) == D("60000.1") * D("0.2") / 20
    desk.place("SELL", "0.200")
    assert (own(desk), cross(desk)) == (0, desk.wallet())


def test_a_turned_position_has_the_margin_of_what_it_opened() -> None:
    desk = isolated(leverage="10")
    desk.place("BUY", "0.300")
    desk.place("SELL", "0.500")
    assert own(desk) == D(60000) * D("0.2") / 10
    assert desk.core.truth()["violations"] == []


def test_a_loss_beyond_the_share_that_closed_bites_the_rest() -> None:
    desk = isolated(leverage="10")
    desk.place("BUY", "0.300")
    margin = own(desk)
    desk.book([(580000, 1000)], [(580001, 1000)])
    before = cross(desk)
    desk.place("SELL", "0.030")
    # A tenth closed: its share covers the loss of 60.003 and 119.9973 come back.
    assert own(desk) == margin * 9 / 10
    assert cross(desk) - before == margin / 10 - D("2000.1") * D("0.03") - D(58000) * D("0.03") * D("0.0005")
    desk.book([(530000, 1000)], [(530001, 1000)])
    margin, before = own(desk), cross(desk)
    desk.place("SELL", "0.090")
    # A third closed: 540.0009 of margin less 630.009 of loss; the missing 90.0081 are taken from what is left.
    assert own(desk) == margin * 2 / 3 - (D("7000.1") * D("0.09") - margin / 3)
    assert cross(desk) - before == -D(53000) * D("0.09") * D("0.0005")


def test_events_show_the_isolated_wallet() -> None:
    desk = isolated()
    desk.place("BUY", "0.300")
    (update,) = [event["a"] for event in desk.private() if event["e"] == "ACCOUNT_UPDATE"]
    (row,), (balance,) = update["P"], update["B"]
    assert (row["mt"], row["iw"]) == ("isolated", "900.00150000")
    assert D(balance["wb"]) - D(balance["cw"]) == D("900.0015")


def test_margin_can_be_added_and_taken_out_and_the_history_says_so() -> None:
    desk = isolated()
    desk.place("BUY", "0.300")
    desk.mark("60000.1")
    desk.core.drain()
    start, wallet = own(desk), desk.wallet()
    answer = move(desk, "100.5", 1)
    assert answer == {"amount": 100.5, "code": 200, "msg": "Successfully modify position margin.", "type": 1}
    (event,) = desk.private()
    assert (event["a"]["m"], event["a"]["P"][0]["iw"]) == ("MARGIN_TRANSFER", f"{start + D('100.5'):.8f}")
    desk.core.advance(START_MS + 1_000)
    assert refused_move(desk, "100.50000001", 2) == -4051
    move(desk, "40", 2)
    assert (own(desk), desk.wallet()) == (start + D("60.5"), wallet)
    rows = desk.call("GET", "v1/positionMargin/history")
    assert [(row["type"], row["amount"], row["deltaType"], row["positionSide"]) for row in rows] == [
        (1, "100.5", "USER_ADJUST", "BOTH"), (2, "40", "USER_ADJUST", "BOTH"),
    ]  # fmt: skip
    assert [row["type"] for row in desk.call("GET", "v1/positionMargin/history", type="2")] == [2]
    assert len(desk.call("GET", "v1/positionMargin/history", startTime=str(START_MS + 1))) == 1
    assert desk.refusal("GET", "v1/positionMargin/history", type="3") == -1102


def test_margin_that_a_loss_uses_cannot_be_taken_out() -> None:
    desk = isolated()
    desk.place("BUY", "0.300")
    move(desk, "500", 1)
    desk.mark("59000.1")
    # 1400.0015 less 300 of loss less 885.0015 of initial margin
    assert refused_move(desk, "215.00000001", 2) == -4051
    move(desk, "215", 2)


def test_moves_that_are_refused() -> None:
    desk = isolated()
    assert refused_move(desk, "1", 1) == -4054
    desk.place("BUY", "0.300")
    assert refused_move(desk, "0", 1) == -4055
    assert refused_move(desk, "-1", 1) == -4055
    assert refused_move(desk, "1", 3) == -1102
    assert refused_move(desk, "1", 1, positionSide="LONG") == -4061
    assert refused_move(desk, "1", 1, positionSide="UP") == -4060
    assert refused_move(desk, "100000", 1) == -4050
    other = desk_with_book()
    other.place("BUY", "0.300")
    assert refused_move(other, "1", 1) == -4049


def test_an_order_needs_free_cross_balance() -> None:
    desk = isolated(wallet="1000")
    desk.mark("60000")
    desk.place("BUY", "0.200")
    # 1000 less 600.001 of margin less 6.00001 of fees leaves 393.99899: 0.131 at 60000 needs 393, 0.132 needs 396.
    assert refused(desk, "0.132") == -2019
    assert desk.place("BUY", "0.131", "60000")["status"] == "NEW"


def refused(desk: Desk, quantity: str) -> int:
    """The code a buy at 60000 is refused with."""
    return desk.refused_place("BUY", quantity, "60000")


def test_profit_of_an_isolated_position_is_no_margin_for_others() -> None:
    desk = isolated(wallet="1000")
    desk.place("BUY", "0.200")
    free = D(desk.call("GET", "v3/account", symbol=None)["availableBalance"])
    desk.mark("62000")
    body = desk.call("GET", "v3/account", symbol=None)
    assert D(body["availableBalance"]) == free
    assert (body["totalUnrealizedProfit"], body["totalCrossUnPnl"]) == ("399.98000000", "0.00000000")


def test_the_liquidation_price_comes_from_the_isolated_wallet_and_is_true() -> None:
    desk = isolated()
    desk.place("BUY", "0.300")
    desk.mark("60000")
    price = D(risk(desk)["liquidationPrice"])
    at, entry = Fraction(price), Fraction("60000.1")
    behind = Fraction(own(desk)) + (at - entry) * Fraction("0.3")
    assert abs(behind - at * Fraction("0.3") * Fraction("0.004")) < Fraction(1, 10**7)
    desk.core.drain()
    desk.mark(str(price + D("0.1")))
    assert desk.lots() == 300
    (call,) = desk.private()
    assert (call["e"], call["p"][0]["mt"], call["p"][0]["iw"]) == ("MARGIN_CALL", "ISOLATED", "900.00150000")
    desk.mark(str(price - D("0.1")))
    assert desk.lots() == 0


def test_a_crash_costs_the_margin_and_no_more() -> None:
    desk = isolated()
    desk.place("BUY", "0.300")
    resting = desk.place("BUY", "0.100", "59990")
    before, margin = cross(desk), own(desk)
    wallet = desk.wallet()
    desk.book([(500000, 100)], [(500001, 100)])
    desk.mark("50000")
    desk.core.drain()
    # The resting buy was filled by the falling book before the mark came down.
    assert desk.order(resting)["status"] == "FILLED"
    assert (desk.lots(), own(desk)) == (0, 0)
    fees = sum((D(row["income"]) for row in incomes(desk, "COMMISSION")[1:]), D(0))
    assert incomes(desk, "INSURANCE_CLEAR")
    assert cross(desk) == before - D(59990) * D("0.1") / 20 + fees
    assert desk.wallet() == wallet - margin - D(59990) * D("0.1") / 20 + fees
    assert desk.core.truth()["violations"] == []


def incomes(desk: Desk, kind: str) -> list[dict[str, Any]]:
    """Income rows of a kind."""
    return [row for row in desk.call("GET", "v1/income", symbol=None) if row["incomeType"] == kind]


def test_funding_is_paid_by_the_isolated_wallet() -> None:
    desk = isolated()
    desk.place("BUY", "0.300")
    desk.mark("60000", rate="0.001", next_funding_ms=START_MS + 1_000)
    before, margin = cross(desk), own(desk)
    desk.core.drain()
    desk.core.advance(START_MS + 1_000)
    assert (own(desk), cross(desk)) == (margin - 18, before)
    (update,) = [event["a"] for event in desk.private() if event["e"] == "ACCOUNT_UPDATE"]
    assert update["m"] == "FUNDING_FEE" and "S" not in update
    assert [(row["ps"], row["iw"]) for row in update["P"]] == [("BOTH", "882.00150000")]
    assert [row["bc"] for row in update["B"]] == ["-18"]


def test_the_margin_type_may_change_only_while_nothing_is_open() -> None:
    desk = isolated()
    assert desk.refusal("POST", "v1/marginType", marginType="ISOLATED") == -4046
    order = desk.place("BUY", "0.100", "59990")
    assert desk.refusal("POST", "v1/marginType", marginType="CROSSED") == -4047
    desk.call("DELETE", "v1/order", orderId=str(order["orderId"]))
    desk.place("BUY", "0.100")
    assert desk.refusal("POST", "v1/marginType", marginType="CROSSED") == -4048
    desk.place("SELL", "0.100")
    desk.core.drain()
    desk.call("POST", "v1/marginType", marginType="CROSSED")
    (event,) = desk.private()
    assert (event["a"]["m"], event["a"]["P"][0]["mt"]) == ("MARGIN_TYPE_CHANGE", "cross")
    assert desk.call("GET", "v1/symbolConfig")[0]["marginType"] == "CROSSED"


def test_leverage_of_an_isolated_position_only_rises() -> None:
    desk = isolated()
    desk.place("BUY", "0.300")
    assert desk.refusal("POST", "v1/leverage", leverage="19") == -4161
    margin = own(desk)
    desk.call("POST", "v1/leverage", leverage="25")
    assert own(desk) == margin


def test_the_sides_of_hedge_mode_have_margins_of_their_own() -> None:
    desk = isolated(dual=True)
    desk.place("BUY", "0.300", positionSide="LONG")
    desk.place("SELL", "0.100", positionSide="SHORT")
    move(desk, "500", 1, positionSide="SHORT")
    assert (own(desk, "LONG"), own(desk, "SHORT")) == (D("900.0015"), D(800))
    desk.mark("57000")
    # The long is gone with its margin, the short stays.
    assert [risk(desk, side)["positionAmt"] for side in ("LONG", "SHORT")] == ["0.000", "-0.100"]
    assert (own(desk, "LONG"), own(desk, "SHORT")) == (0, D(800))


def test_liquidation_of_the_cross_positions_leaves_isolated_ones_alone() -> None:
    desk = isolated()
    desk.place("BUY", "0.300")
    before = desk.lots()
    desk.core.transfer("a", "USDT", -D(90_000))
    desk.mark("59000")
    assert desk.lots() == before


@pytest.mark.parametrize("dual", [False, True])
def test_a_restarted_venue_keeps_the_margins(dual: bool) -> None:
    desk = isolated(dual=dual)
    side = {"positionSide": "LONG"} if dual else {}
    desk.place("BUY", "0.300", **side)
    move(desk, "7", 1, **side)
    saved = desk.core.dump()
    desk.core = VenueCore.load(saved)
    assert desk.core.dump() == saved
    assert own(desk, "LONG" if dual else "BOTH") == D("907.0015")
    assert len(desk.call("GET", "v1/positionMargin/history")) == 1


def test_two_symbols_one_isolated_one_cross() -> None:
    desk = isolated(wallet="3000")
    other = replace(BTC, symbol="ETHUSDT")
    desk.core = VenueCore(symbols=(BTC, other), start_ms=START_MS, seed=7)
    desk.core.add_account("a", api_key="key-a", api_secret="secret", wallet={"USDT": D(3000)})
    for spec in (BTC, other):
        desk.core.apply(BookSnapshot(START_MS, spec.symbol, ((600000, 5000),), ((600001, 5000),)))
    desk.call("POST", "v1/marginType", marginType="ISOLATED")
    desk.place("BUY", "0.300")
    desk.place("BUY", "0.300", symbol="ETHUSDT")
    assert cross(desk) == desk.wallet() - D("900.0015")
    # What stands behind the cross position is the cross wallet alone.
    price = D(desk.call("GET", "v3/positionRisk", symbol="ETHUSDT")[0]["liquidationPrice"])
    behind = Fraction(cross(desk)) + (Fraction(price) - Fraction("60000.1")) * Fraction("0.3")
    assert abs(behind - Fraction(price) * Fraction("0.3") * Fraction("0.004")) < Fraction(1, 10**7)
    desk.core.apply(MarkPrice(START_MS, "ETHUSDT", price - 1, price - 1, D(0), 0))
    positions = desk.core.truth()["accounts"]["a"]["positions"]
    assert (positions["BTCUSDT"]["lots"], positions["ETHUSDT"]["lots"]) == (300, 0)
    assert positions["BTCUSDT"]["isolated"] == "900.00150000"
