"""A small desk over the venue core for tests: one symbol, short calls, answers and refusals in plain form."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from gridops.venue.core import Fidelity, VenueCore, VenueError
from gridops.venue.market.events import BookSnapshot, DepthDiff, Level, MarketTrade, MarkPrice, SymbolSpec

D = Decimal
START_MS = 1_790_000_000_000

BTC = SymbolSpec(
    symbol="BTCUSDT",
    base_asset="BTC",
    quote_asset="USDT",
    tick_size=D("0.10"),
    step_size=D("0.001"),
    min_price=D("556.80"),
    max_price=D("4529764"),
    min_qty=D("0.001"),
    max_qty=D("1000"),
    market_max_qty=D("120"),
    min_notional=D("100"),
    multiplier_up=D("1.05"),
    multiplier_down=D("0.95"),
    price_precision=2,
    quantity_precision=3,
)


class Desk:
    """The core with defaults filled in. Prices and quantities are given as the caller would write them."""

    def __init__(
        self,
        spec: SymbolSpec = BTC,
        *,
        fidelity: Fidelity | None = None,
        wallet: str = "100000",
        accounts: Iterable[str] = ("a", "b"),
    ) -> None:
        self.spec = spec
        self.core = VenueCore(symbols=(spec,), start_ms=START_MS, seed=7, fidelity=fidelity or Fidelity())
        for name in accounts:
            self.core.add_account(name, api_key=f"key-{name}", api_secret="secret", wallet={"USDT": D(wallet)})

    def book(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """State the outside book in ticks and lots."""
        self.core.apply(BookSnapshot(self.core.now_ms, self.spec.symbol, tuple(bids), tuple(asks)))

    def diff(self, bids: Iterable[Level] = (), asks: Iterable[Level] = ()) -> None:
        """Change outside levels."""
        self.core.apply(DepthDiff(self.core.now_ms, self.spec.symbol, tuple(bids), tuple(asks)))

    def tape(self, price_ticks: int, lots: int, *, seller: bool) -> None:
        """A public trade; `seller` says who was the aggressor."""
        self.core.apply(MarketTrade(self.core.now_ms, self.spec.symbol, price_ticks, lots, seller))

    def mark(self, price: str, rate: str = "0.0001", next_funding_ms: int = 0) -> None:
        """A mark price from the source."""
        event = MarkPrice(self.core.now_ms, self.spec.symbol, D(price), D(price), D(rate), next_funding_ms)
        self.core.apply(event)

    def call(self, method: str, path: str, account: str = "a", **params: Any) -> Any:
        """One call now; path without the /fapi prefix, symbol filled in when absent, `symbol=None` leaves it out."""
        params.setdefault("symbol", self.spec.symbol)
        sent = {name: value for name, value in params.items() if value is not None}
        return self.core.call(account, method, f"/fapi/{path}", sent, self.core.now_ms)

    def place(self, side: str, quantity: str, price: str | None = None, account: str = "a", **more: Any) -> Any:
        """LIMIT GTC with a price, MARKET without; RESULT reply."""
        kind = {"type": "LIMIT", "timeInForce": "GTC", "price": price} if price else {"type": "MARKET"}
        params = {"side": side, "quantity": quantity, "newOrderRespType": "RESULT", **kind, **more}
        return self.call("POST", "v1/order", account, **params)

    def amend(self, order: dict[str, Any], quantity: str, price: str, account: str = "a", **more: Any) -> Any:
        """PUT by order id."""
        params = {"orderId": str(order["orderId"]), "side": order["side"], "quantity": quantity, "price": price, **more}
        return self.call("PUT", "v1/order", account, **params)

    def order(self, order: dict[str, Any], account: str = "a") -> Any:
        """The order as the venue shows it now."""
        return self.call("GET", "v1/order", account, orderId=str(order["orderId"]))

    def refusal(self, method: str, path: str, account: str = "a", **params: Any) -> int:
        """The code a call is refused with; fails when it is not."""
        try:
            answer = self.call(method, path, account, **params)
        except VenueError as error:
            return error.code
        raise AssertionError(f"accepted: {answer}")

    def refused_place(self, side: str, quantity: str, price: str | None = None, account: str = "a", **more: Any) -> int:
        """The code a new order is refused with."""
        try:
            answer = self.place(side, quantity, price, account, **more)
        except VenueError as error:
            return error.code
        raise AssertionError(f"accepted: {answer}")

    def refused_amend(self, order: dict[str, Any], quantity: str, price: str, **more: Any) -> int:
        """The code an amendment is refused with."""
        try:
            answer = self.amend(order, quantity, price, **more)
        except VenueError as error:
            return error.code
        raise AssertionError(f"accepted: {answer}")

    def wallet(self, account: str = "a", asset: str = "USDT") -> Decimal:
        """Wallet balance by the oracle."""
        return D(self.core.truth()["accounts"][account]["wallet"][asset])

    def lots(self, account: str = "a") -> int:
        """Position in lots by the oracle."""
        positions = self.core.truth()["accounts"][account]["positions"]
        return int(positions.get(self.spec.symbol, {"lots": 0})["lots"])

    def private(self, account: str = "a") -> list[dict[str, Any]]:
        """Drained private events of one account."""
        return [event.payload for event in self.core.drain() if event.stream == f"private:{account}"]

    def stream(self, name: str) -> list[dict[str, Any]]:
        """Drained events of one public stream of the symbol."""
        wanted = f"{self.spec.symbol.lower()}@{name}"
        return [event.payload for event in self.core.drain() if event.stream == wanted]


def desk_with_book(**options: Any) -> Desk:
    """Bids from 60000.0 down, asks from 60000.1 up, ten levels of 1 BTC each."""
    made = Desk(**options)
    made.book([(600000 - i, 1000) for i in range(10)], [(600001 + i, 1000) for i in range(10)])
    made.core.drain()
    return made
