"""A trade told again after its id was forgotten is still a trade that was booked."""

import copy
import gc
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import Side
from gridops.errors import JournalError
from gridops.runtime import commit, observe_fills
from gridops.runtime.codec import encode
from gridops.runtime.observe_fills import REMEMBERED_TRADES
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState
from gridops.runtime.state_codec import decode_state, encode_state
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


def test_what_fills_up_over_hours_takes_no_object_each() -> None:
    """256 trades of a symbol and sixty minutes with writes: objects that gather so slowly look like a leak."""
    desk = Desk()
    desk.up()
    symbol = desk.state.symbols[SYMBOL]
    desk.state.venue_ms = 1_700_000_000_000
    gc.collect()
    before = sys.getallocatedblocks()
    for trade_id in range(10**9, 10**9 + REMEMBERED_TRADES):
        observe_fills.remember(symbol, trade_id)
        observe_fills.remember(symbol, trade_id)
    for _ in range(60):
        desk.state.venue_ms += 60_000
        commit.count_churn(desk.state)
    gc.collect()
    grown = sys.getallocatedblocks() - before
    assert len(symbol.trade_ids) == REMEMBERED_TRADES
    assert commit.churn_last_hour(desk.state) == 60
    assert grown < 20, grown


def test_a_checkpoint_of_either_form_gives_the_same_ids() -> None:
    _, symbol = _traded(read_up_to=TRADES)
    state = EngineState(rules=Rules(symbols=()), symbols={SYMBOL: symbol})
    body = encode_state(state)
    ids = list(symbol.trade_ids)
    assert decode_state(body).symbols[SYMBOL].trade_ids == symbol.trade_ids
    older = body.replace(encode(ids), encode({str(each): 1_700_000_000_000 for each in booked_in(ids)}))
    assert older != body
    assert encode_state(decode_state(older)) == encode_state(decode_state(body)) == body
    assert encode_state(copy.deepcopy(state)) == body


@pytest.mark.parametrize("held", ["[1.5]", '["1"]', '"12"', "[null]", "[9223372036854775808]", '{"x":1}', "7"])
def test_a_checkpoint_with_other_things_than_whole_numbers_is_refused(held: str) -> None:
    body = encode_state(EngineState(rules=Rules(symbols=())))
    with pytest.raises(JournalError, match="checkpoint is not readable"):
        decode_state(body.replace(b'"churn":[]', b'"churn":' + held.encode()))


def booked_in(ids: list[int]) -> list[int]:
    """Stream and reads do not tell trades in the order of their ids."""
    return [*ids[1::2], *ids[::2]]


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
