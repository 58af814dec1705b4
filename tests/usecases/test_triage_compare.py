"""Each way in which books and venue can disagree is marked, and only those. Judged by cases written out by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest
from gridops.domain import ids
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Order, VenueIncome, VenueOrder, VenueTrade
from gridops.domain.vocabulary import OrderState, OrderType, Side, TimeInForce
from gridops.runtime.ports_journal import FillRow
from gridops.usecases.triage_compare import OurSide, VenueSide, compare
from tests.commands.kit import instrument

MADE: Instrument = instrument()
OURS = ids.mint(tag="test", epoch=3, run_id="r", symbol="BTCUSDT", level=-1, side="BUY", attempt=1, marker=ids.ORDINARY)
ORDER = Order(
    client_id=OURS, symbol="BTCUSDT", side=Side.BUY, level=-1, price_ticks=650_000, lots=6, reduce_only=False,
    order_type=OrderType.LIMIT, tif=TimeInForce.GTX, state=OrderState.OPEN, epoch=3, created_ms=1,
)  # fmt: skip
LISTED = VenueOrder(
    client_id=OURS, venue_id="9", symbol="BTCUSDT", side=Side.BUY, price_ticks=650_000, lots=6, filled_lots=0,
    reduce_only=False, order_type="LIMIT", tif="GTX", status="NEW", updated_ms=5,
)  # fmt: skip
TRADE = VenueTrade(
    symbol="BTCUSDT", trade_id=77, venue_id="8", side=Side.SELL, price_ticks=650_100, lots=2, fee=Decimal("0.02"),
    fee_asset="USDT", realised=Decimal(0), maker=True, at_ms=50,
)  # fmt: skip
FILL = FillRow(
    symbol="BTCUSDT", trade_id=77, client_id=OURS, side="SELL", price_ticks=650_100, lots=2, fee="0.02",
    fee_asset="USDT", realised="0", at_ms=50, maker=True, seq=4,
)  # fmt: skip
VENUE = VenueSide(symbol="BTCUSDT", orders=(LISTED,), position_lots=-2, trades=(TRADE,), incomes=())
BOOKS = OurSide(instrument=MADE, tag="test", orders={OURS: ORDER}, position_lots=-2, fills={77: FILL})


def differs(venue: VenueSide, ours: OurSide) -> list[tuple[str, str, str]]:
    return [(each.who, each.what, each.differs) for each in compare(venue, ours, 10, 100) if each.differs]


def test_books_that_agree_have_no_mark() -> None:
    assert differs(VENUE, BOOKS) == []
    assert [each.what for each in compare(VENUE, BOOKS, 10, 100)] == ["trade", "order", "position"]


FOREIGN = replace(LISTED, client_id="web_abc")
CASES = {
    "a trade never booked": (VENUE, replace(BOOKS, fills={}), ("venue", "trade", "not in our books")),
    "booked with another size": (
        VENUE, replace(BOOKS, fills={77: replace(FILL, lots=3)}), ("venue", "trade", "booked as SELL 0.003@65010.0"),
    ),
    "a fill the venue does not list": (
        VENUE, replace(BOOKS, fills={77: FILL, 78: replace(FILL, trade_id=78)}),
        ("local", "fill", "the venue lists no such trade"),
    ),
    "an order of another hand": (
        replace(VENUE, orders=(LISTED, FOREIGN)), BOOKS, ("venue", "order", "not ours"),
    ),
    "an own order we hold for dead": (
        VENUE, replace(BOOKS, orders={OURS: replace(ORDER, state=OrderState.CANCELED)}),
        ("venue", "order", "not live in our books"),
    ),
    "an own order at another price": (
        replace(VENUE, orders=(replace(LISTED, price_ticks=650_010),)), BOOKS,
        ("venue", "order", "we have 0.006@65000.0, filled 0.000"),
    ),
    "an order that is gone": (replace(VENUE, orders=()), BOOKS, ("local", "order", "not open at the venue")),
    "another position": (replace(VENUE, position_lots=5), BOOKS, ("venue", "position", "we have -0.002")),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_disagreement_is_marked_alone(name: str) -> None:
    venue, ours, wanted = CASES[name]
    assert differs(venue, ours) == [wanted]


def test_a_list_that_was_cut_says_nothing_of_newer_fills() -> None:
    """Trades 77 and 79 were read: 78 is missing between them, 80 may stand on the page that was not."""
    newer = {n: replace(FILL, trade_id=n) for n in (77, 78, 79, 80)}
    cut = replace(VENUE, trades=(TRADE, replace(TRADE, trade_id=79)), whole=False)
    marked = [each.ref for each in compare(cut, replace(BOOKS, fills=newer), 10, 100) if each.differs]
    assert marked == ["78"]
    marked = [
        each.ref for each in compare(replace(cut, whole=True), replace(BOOKS, fills=newer), 10, 100) if each.differs
    ]
    assert marked == ["78", "80"]


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN])
def test_an_order_in_motion_claims_nothing(state: OrderState) -> None:
    assert differs(replace(VENUE, orders=()), replace(BOOKS, orders={OURS: replace(ORDER, state=state)})) == []


def test_what_a_trade_brings_is_told_once_and_old_rows_not_at_all() -> None:
    rows = tuple(
        VenueIncome(income_type=kind, tran_id=str(n), symbol="BTCUSDT", asset="USDT", amount=Decimal(1), at_ms=at_ms)
        for n, (kind, at_ms) in enumerate([("COMMISSION", 50), ("FUNDING_FEE", 50), ("FUNDING_FEE", 9)])
    )
    told = compare(replace(VENUE, incomes=rows, trades=(TRADE, replace(TRADE, trade_id=3, at_ms=9))), BOOKS, 10, 100)
    assert [each.ref for each in told if each.what == "funding_fee"] == ["1"]
    assert [each.ref for each in told if each.what == "trade"] == ["77"]
