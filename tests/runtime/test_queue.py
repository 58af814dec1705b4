"""What the engine keeps of its orders' queues, and that a refusal waits for a newer book."""

from gridops.decide.queue_place import UNSEEN
from gridops.domain.events import ViewChanged
from gridops.domain.market import MarketView
from gridops.domain.vocabulary import OpKind, Side, VenueCode, WriteOutcome
from gridops.runtime.state_codec import decode_state, encode_state
from tests.runtime.engine_kit import BOOT_0_MS, SYMBOL, Desk


def look(desk: Desk, bid: int, bid_lots: int, *, sold: int = 0) -> None:
    """A view 10 ms later with this bid, and that much sold into it since the last one."""
    desk.at_ms += 10
    seen_ms = BOOT_0_MS + desk.at_ms
    view = MarketView(
        symbol=SYMBOL, bid_ticks=bid, bid_lots=bid_lots, ask_ticks=bid + 1, ask_lots=5_000, mark_ticks=bid,
        sold_lots=sold, book_event_ms=desk.venue_ms, book_seen_ms=seen_ms,
        mark_event_ms=desk.venue_ms, mark_seen_ms=seen_ms,
    )  # fmt: skip
    desk.feed(ViewChanged(view=view))


def test_the_queue_is_followed_at_the_touch_and_forgotten_with_an_amend() -> None:
    desk = Desk()
    desk.up()
    order = desk.nearest(Side.BUY)
    price, own = order.price_ticks, order.remaining
    assert order.ahead_lots == UNSEEN
    look(desk, price, own + 1_000)
    assert (order.ahead_lots, order.ahead_ticks) == (1_000, price)
    look(desk, price, own + 700, sold=300)
    assert order.ahead_lots == 700
    look(desk, price, own + 900, sold=100)
    assert order.ahead_lots == 600, "who came later stands behind"
    look(desk, price, own + 450)
    assert order.ahead_lots == 300, "half of the level was cancelled, so half of what stood before us"
    look(desk, price + 5, 2_000)
    assert order.ahead_lots == 300, "a better bid says nothing about the price behind it"
    restored = decode_state(encode_state(desk.state)).symbols[SYMBOL].orders[order.client_id]
    assert (restored.ahead_lots, restored.ahead_ticks) == (300, price)
    sent = len(desk.sent)
    desk.settle(desk.view(price + 600))
    moved = [op for op in desk.sent[sent:] if op.kind is OpKind.AMEND]
    assert moved
    assert all(desk.orders[op.client_id].ahead_lots == UNSEEN for op in moved)


def test_refusals_of_one_and_the_same_book_count_once() -> None:
    desk = Desk()
    desk.position = -20
    boot = desk.boot()
    desk.user_stream(True)
    desk.settle(boot, acknowledge=False)
    while not (closing := [op for op in desk.sent if op.kind is OpKind.PLACE and op.reduce_only]):
        desk.run_ms(100, acknowledge=False)
    level = closing[0].level
    desk.outcome(closing[0], WriteOutcome.REFUSED, code=VenueCode.POST_ONLY, number=-5022)
    refused_ms = desk.at_ms

    def tries() -> int:
        return sum(1 for op in desk.sent if op.kind is OpKind.PLACE and op.level == level)

    while desk.at_ms < refused_ms + desk.rules.router.refused_wait_ms - 20:
        desk.view(after_ms=10)
    assert tries() == 1, "a closing rung waits for no refill, and this book was judged already"
    desk.run_ms(200, acknowledge=False)
    assert tries() == 2
