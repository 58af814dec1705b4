"""A trade told again after its id was forgotten is still a trade that was booked."""

from collections.abc import Callable
from dataclasses import replace

from gridops.domain.vocabulary import Side
from gridops.runtime import observe_fills
from gridops.runtime.observe_fills import REMEMBERED_TRADES
from gridops.runtime.out import Out
from gridops.runtime.state import SymbolState
from tests.runtime.engine_kit import SYMBOL, Desk

TRADES = 3 * REMEMBERED_TRADES


def test_a_forgotten_trade_is_not_booked_again() -> None:
    book, symbol = _traded(read_up_to=TRADES)
    assert len(symbol.trade_ids) == REMEMBERED_TRADES
    assert min(symbol.trade_ids) == symbol.forgotten_trade_id + 1
    assert not any(book(trade_id) for trade_id in range(1, TRADES + 1))
    assert book(TRADES + 1)


def test_what_the_next_read_may_name_is_kept() -> None:
    book, symbol = _traded(read_up_to=10)
    assert min(symbol.trade_ids) == 11
    assert len(symbol.trade_ids) == TRADES - 10
    assert not any(book(trade_id) for trade_id in range(1, TRADES + 1))


def test_a_trade_that_no_read_has_settled_is_booked_however_late() -> None:
    book, symbol = _traded(read_up_to=10, missing=11)
    assert symbol.forgotten_trade_id == 10
    assert book(11)


def _traded(*, read_up_to: int, missing: int = 0) -> tuple[Callable[[int], bool], SymbolState]:
    desk = Desk()
    desk.up()
    symbol = desk.state.symbols[SYMBOL]
    order = desk.nearest(Side.BUY)
    told = desk.report(desk.open_orders[order.client_id], desk.trade(order.client_id, 1, lots=1))
    first = observe_fills.from_report(told, None)
    symbol.last_trade_id = read_up_to

    def book(trade_id: int) -> bool:
        side = Side.BUY if trade_id % 2 else Side.SELL
        fill = replace(first, trade_id=trade_id, side=side)
        return observe_fills.book(desk.state, symbol, fill, None, Out(desk.history[-1][0], "run"))

    assert all(book(trade_id) for trade_id in range(1, TRADES + 1) if trade_id != missing)
    return book, symbol
