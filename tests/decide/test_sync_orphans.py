"""A list of open orders revives an order that has ended only when it was asked well after the end."""

from dataclasses import replace

import pytest
from gridops.decide import sync
from gridops.domain import ids
from gridops.domain.orders import Order, VenueOrder
from gridops.domain.vocabulary import OrderState, OrderType, Side, TimeInForce

OWN = ids.mint(tag="abcd", epoch=1, run_id="r", symbol="BTCUSDT", level=1, side="BUY", attempt=1, marker=ids.ORDINARY)


def ended(updated_ms: int, state: OrderState = OrderState.CANCELED, filled_lots: int = 0) -> Order:
    return Order(
        client_id=OWN, symbol="BTCUSDT", side=Side.BUY, level=-1, price_ticks=10, lots=5, reduce_only=False,
        order_type=OrderType.LIMIT, tif=TimeInForce.GTX, state=state, epoch=1, created_ms=1,
        updated_ms=updated_ms, filled_lots=filled_lots,
    )  # fmt: skip


LISTED = VenueOrder(
    client_id=OWN, venue_id="7", symbol="BTCUSDT", side=Side.BUY, price_ticks=10, lots=5, filled_lots=0,
    reduce_only=False, order_type="LIMIT", tif="GTX", status="NEW", updated_ms=5,
)  # fmt: skip


@pytest.mark.parametrize(("asked_ms", "orphan"), [(10_000, False), (10_135, False), (12_000, False), (12_001, True)])
def test_a_read_that_may_be_older_than_the_end_revives_nothing(asked_ms: int, orphan: bool) -> None:
    """When a read was asked is known by our estimate of the venue's clock, which may be ahead: 135 ms are not proof."""
    moved = replace(LISTED, updated_ms=10_100)
    verdict = sync.judge_orders(
        [moved], {}, {OWN: ended(10_000)}, tag="abcd", epoch=1, asked_ms=asked_ms, settle_ms=2_000
    )
    assert bool(verdict.orphans) is orphan


@pytest.mark.parametrize("state", [OrderState.CANCELED, OrderState.EXPIRED, OrderState.FAILED])
@pytest.mark.parametrize("updated_ms", [5, 10_000, 10_001])
def test_a_list_of_before_the_end_that_the_venue_told_revives_nothing(state: OrderState, updated_ms: int) -> None:
    """However late it was asked: a cache answered. An absence that we concluded is no word of the venue's."""
    listed = replace(LISTED, updated_ms=updated_ms)
    verdict = sync.judge_orders(
        [listed], {}, {OWN: ended(10_000, state)}, tag="abcd", epoch=1, asked_ms=30_000, settle_ms=2_000
    )
    assert bool(verdict.orphans) is (state is OrderState.FAILED or updated_ms > 10_000)


def test_one_we_never_knew_is_an_orphan_at_once() -> None:
    assert sync.judge_orders([LISTED], {}, {}, tag="abcd", epoch=1, asked_ms=1, settle_ms=2_000).orphans == (LISTED,)


@pytest.mark.parametrize(
    ("state", "filled_lots", "orphan"),
    [(OrderState.FILLED, 5, False), (OrderState.FILLED, 4, True)],
)
def test_a_late_list_does_not_revive_what_its_own_trades_have_filled(
    state: OrderState, filled_lots: int, orphan: bool
) -> None:
    """A cached answer may be seconds old; an order amended to more than was filled could rest."""
    held = {OWN: ended(10_000, state, filled_lots)}
    verdict = sync.judge_orders([LISTED], {}, held, tag="abcd", epoch=1, asked_ms=30_000, settle_ms=2_000)
    assert bool(verdict.orphans) is orphan
