"""A quiet tick takes a way of its own; what it leaves in the state is what the long way leaves."""

from dataclasses import replace

import pytest
from gridops.domain.events import ViewChanged
from gridops.runtime import step as stepping
from gridops.runtime.codec import encode
from tests.runtime.engine_kit import SYMBOL, Desk


def ticked() -> tuple[bytes, int]:
    """The market's part of the state after a quiet stretch, and how many steps had nothing to say."""
    desk = Desk()
    desk.up()
    silent = 0
    for number in range(40):
        done = desk.view(after_ms=20)
        seen = desk.state.symbols[SYMBOL].view
        sized = replace(seen, bid_lots=5_000 + number % 7, sold_lots=number % 3, book_event_ms=desk.venue_ms)
        silent += not (done.records or done.effects)
        desk.feed(ViewChanged(view=sized), after_ms=1)
    symbol, state = desk.state.symbols[SYMBOL], desk.state
    kept = (symbol.view, symbol.volatility, symbol.orders, state.seq, state.now_ms, state.venue_ms, state.wall_ms)
    return encode(kept), silent


def test_the_short_way_leaves_what_the_long_way_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    short, silent = ticked()
    assert silent > 20
    monkeypatch.setattr(stepping, "_quiet", lambda state, view: False)
    assert ticked() == (short, silent)


@pytest.mark.parametrize("change", [{"bid_lots": 0}, {"ask_ticks": 0}, {"book_event_ms": 1}, {"symbol": "OTHER"}])
def test_an_odd_view_is_no_quiet_tick(change: dict[str, object]) -> None:
    desk = Desk()
    desk.up()
    desk.view(after_ms=20)
    odd = replace(desk.state.symbols[SYMBOL].view, **change)  # type: ignore[arg-type]
    assert not stepping._quiet(desk.state, odd)
