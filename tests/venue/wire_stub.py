"""A stand-in core and market for tests of the wire alone: answers what it was asked, emits what the test scripts."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from gridops.venue.errors import VenueError
from gridops.venue.events import StreamEvent
from gridops.venue.market.events import MarketEvent, MarketTrade, SymbolSpec

SPEC = SymbolSpec(
    symbol="BTCUSDT", base_asset="BTC", quote_asset="USDT", tick_size=Decimal("0.1"), step_size=Decimal("0.001"),
    min_price=Decimal("0.1"), max_price=Decimal("1000000"), min_qty=Decimal("0.001"), max_qty=Decimal("1000"),
    market_max_qty=Decimal("120"), min_notional=Decimal("100"), multiplier_up=Decimal("1.05"),
    multiplier_down=Decimal("0.95"), price_precision=2, quantity_precision=3,
)  # fmt: skip


class StubCore:
    """Implements the core's port without any semantics; every call is remembered."""

    def __init__(self, now_ms: int = 0) -> None:
        self.now_ms = now_ms
        self.calls: list[tuple[str | None, str, str, dict[str, Any]]] = []
        self.applied: list[tuple[int, MarketEvent]] = []
        self.advanced: list[int] = []
        self.deadline: int | None = None
        self.pending: list[StreamEvent] = []
        self.fails: Exception | None = None

    def apply(self, event: MarketEvent) -> None:
        assert event.at_ms >= self.now_ms, "a market event in the core's past"
        self.now_ms = event.at_ms
        self.applied.append((self.now_ms, event))

    def advance(self, now_ms: int) -> None:
        assert now_ms >= self.now_ms, "the core's clock ran backwards"
        self.now_ms = now_ms
        self.advanced.append(now_ms)
        if self.deadline is not None and self.deadline <= now_ms:
            self.deadline = None

    def next_deadline_ms(self) -> int | None:
        return self.deadline

    def call(self, account_id: str | None, method: str, path: str, params: Mapping[str, Any], now_ms: int) -> Any:
        self.calls.append((account_id, method, path, dict(params)))
        if self.fails is not None:
            raise self.fails
        if path == "/fapi/v1/time":
            return {"serverTime": now_ms}
        if params.get("symbol", "BTCUSDT") != "BTCUSDT":
            raise VenueError(-1121, "Invalid symbol.")
        if method == "POST" and path == "/fapi/v1/order":
            self.emit("private:acc", {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "o": {"s": "BTCUSDT", "x": "NEW"}})
        return {"path": path, "method": method, **params}

    def emit(self, stream: str, payload: dict[str, Any]) -> None:
        self.pending.append(StreamEvent(stream, payload))

    def drain(self) -> list[StreamEvent]:
        out, self.pending = self.pending, []
        return out

    def truth(self) -> dict[str, Any]:
        return {"wallet": Decimal("1.5"), "calls": len(self.calls)}

    def dump(self) -> bytes:
        return b"stub"


class ListMarket:
    """A market of given events."""

    def __init__(self, events: Iterable[MarketEvent] = ()) -> None:
        self._events = list(events)
        self._at = 0

    def symbols(self) -> tuple[SymbolSpec, ...]:
        return (SPEC,)

    def start_ms(self) -> int:
        return self._events[0].at_ms if self._events else 0

    def next_event(self) -> MarketEvent | None:
        self._at += 1
        return self._events[self._at - 1] if self._at <= len(self._events) else None


def trade(at_ms: int, ticks: int = 650_000) -> MarketTrade:
    return MarketTrade(at_ms, "BTCUSDT", ticks, 1, False)


def diff(update_id: int, previous: int, at_ms: int, bid: str, qty: str) -> dict[str, Any]:
    """One immediate depth event with a single bid level."""
    return {
        "e": "depthUpdate", "E": at_ms, "T": at_ms, "s": "BTCUSDT", "U": previous + 1, "u": update_id, "pu": previous,
        "b": [[bid, qty]], "a": [],
    }  # fmt: skip
