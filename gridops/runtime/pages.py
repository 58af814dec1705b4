"""What an operator must hear again and again while it lasts: at most once a minute each, by the step's own deadline.

Called by the step after everything was decided. Records only: a page asks for a human, it changes no decision.
"""

from collections.abc import Iterator

from gridops.domain.evidence_ref import utc_basic
from gridops.domain.orders import Order
from gridops.domain.values import record
from gridops.domain.vocabulary import FsmState, OrderState, Severity
from gridops.runtime import protect
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

PAGE_MS = 60_000
BLIND_MS = 60_000
"""A position nobody could read for this long is told with its size and the last liquidation distance."""
UNPROVEN_MS = 10_000
"""An order whose fate cannot be proven for this long, in a state that must end without orders, is named; in EMERGENCY
whatever still rests or is still held as well, since the venue or a budget may refuse what would end it."""
_BLINDING = (FsmState.DEGRADED, FsmState.EMERGENCY, FsmState.STOPPING)


@record
class Page:
    """One thing that lasts; due from `from_ms` (boot clock) on."""

    key: str
    topic: str
    from_ms: int
    detail: str


def run(state: EngineState, out: Out) -> None:
    """Say what is due, and remember when each was said."""
    if state.fsm.state in _BLINDING:
        for page in _pages(state):
            if state.now_ms >= _due_ms(state, page):
                state.pages[page.key] = state.now_ms
                out.note(page.topic, Severity.CRITICAL, page.detail)
    if state.pages:
        for key in [key for key, said_ms in state.pages.items() if state.now_ms - said_ms >= 2 * PAGE_MS]:
            del state.pages[key]


def deadline_ms(state: EngineState) -> int | None:
    """When the next page is due, on the boot clock; None while nothing lasts."""
    if state.fsm.state not in _BLINDING:
        return None
    return min((_due_ms(state, page) for page in _pages(state)), default=None)


def _due_ms(state: EngineState, page: Page) -> int:
    said_ms = state.pages.get(page.key)
    return page.from_ms if said_ms is None else max(page.from_ms, said_ms + PAGE_MS)


def _pages(state: EngineState) -> Iterator[Page]:
    exiting = protect.is_exit_state(state.fsm.state)
    open_symbols = [symbol for symbol in state.symbols.values() if not exiting or not protect.done(state, symbol)]
    for symbol in open_symbols:
        if symbol.position_lots or symbol.venue_lots:
            yield _blind(state, symbol)
        if exiting:
            yield from _unread(state, symbol)
            yield from _still_open(state, symbol)
            for order in symbol.orders.values():
                yield from _unproven(state, order)
    if exiting and open_symbols and state.now_ms < state.health.banned_until_ms:
        ends_ms = state.health.banned_until_ms + state.venue_ms - state.now_ms
        wait_s = (state.health.banned_until_ms - state.now_ms + 999) // 1_000
        detail = f"nothing can leave before {utc_basic(ends_ms)} ({wait_s} s): the venue bans this address"
        yield Page(key="banned", topic="exit_banned", from_ms=0, detail=detail)


def _blind(state: EngineState, symbol: SymbolState) -> Page:
    read_ms = protect.read_ms(state)
    since_ms = max(read_ms, state.health.boot_ms)
    detail = f"{_held(symbol)}, position unread for {(state.now_ms - since_ms) // 1_000} s, {_distance(symbol)}"
    return Page(key=f"blind|{symbol.symbol}", topic="position_blind", from_ms=since_ms + BLIND_MS, detail=detail)


def _held(symbol: SymbolState) -> str:
    lots = symbol.position_lots or symbol.venue_lots
    return f"{symbol.symbol} {lots} lots ({symbol.instrument.quantity(lots).normalize():f})"


def _distance(symbol: SymbolState) -> str:
    """By the venue's own last figures, never by ours."""
    if not symbol.liquidation_price or not symbol.venue_mark:
        return "liquidation price unknown"
    bps = int(abs(symbol.venue_mark - symbol.liquidation_price) * 10_000 / symbol.venue_mark)
    return f"liquidation at {symbol.liquidation_price}, {bps} bps from the last mark read"


def _unread(state: EngineState, symbol: SymbolState) -> Iterator[Page]:
    since_ms = protect.blind_since_ms(state, symbol)
    if since_ms is None:
        return
    lots = protect.lots_to_close(state, symbol)
    acts = f"closing by the last known {lots} lots, reduce-only" if lots else "no position is known"
    yield Page(
        key=f"unread|{symbol.symbol}",
        topic="position_unread",
        from_ms=protect.asking_since_ms(state) + protect.UNREAD_MS,
        detail=f"{symbol.symbol}: the position cannot be read; {acts}",
    )


def _still_open(state: EngineState, symbol: SymbolState) -> Iterator[Page]:
    lots = max(abs(symbol.position_lots), abs(symbol.venue_lots))
    if state.fsm.state is not FsmState.EMERGENCY or lots <= protect.kept_lots(state, symbol):
        return
    since_ms = protect.asking_since_ms(state)
    for_s = (state.now_ms - since_ms) // 1_000
    yield Page(
        key=f"open|{symbol.symbol}",
        topic="position_open",
        from_ms=since_ms + UNPROVEN_MS,
        detail=f"{_held(symbol)}, still held after {for_s} s of EMERGENCY, {_distance(symbol)}",
    )


def _unproven(state: EngineState, order: Order) -> Iterator[Page]:
    doubtful = order.state is OrderState.UNKNOWN or order.pending is not None
    if not doubtful and state.fsm.state is not FsmState.EMERGENCY:
        return
    # Not since the newest attempt: each new cancel would put off the page.
    sent_ms = order.created_ms + state.now_ms - state.venue_ms
    yield Page(
        key=f"unproven|{order.client_id}",
        topic="order_unproven",
        from_ms=max(state.fsm.since_ms, sent_ms) + UNPROVEN_MS,
        detail=f"{order.symbol} {order.side} {order.remaining}@{order.price_ticks} {order.client_id}"
        f" venue id {order.venue_id or 'unknown'}: "
        + ("nothing proves what became of it" if doubtful else "it rests, and no cancel of it is under way"),
    )
