"""One account: wallets, positions, settings, its trades and income rows, and how a fill changes them.

Sits under the matcher. Money is Decimal at eight decimals and every change of a wallet is an income row, so that
wallet = opening + sum of income at any time. One-way positions, cross margin.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gridops.venue.orders import BUY, Order
from gridops.venue.units import Units, money

ZERO = Decimal(0)
DEFAULT_LEVERAGE = 20
MAKER_RATE = Decimal("0.0002")
TAKER_RATE = Decimal("0.0005")
BNB_DISCOUNT = Decimal("0.9")
"""Assumption: paying fees in BNB makes them ten per cent cheaper."""


@dataclass(slots=True)
class Position:
    """Signed lots at an average entry price; `fees` since it was last flat, `realised` since ever."""

    lots: int = 0
    entry: Decimal = ZERO
    fees: Decimal = ZERO
    realised: Decimal = ZERO
    updated_ms: int = 0
    residue: Decimal = ZERO
    """Profit too small to book so far; it goes with the next booking, so that roundings never add up."""

    def unrealised(self, units: Units, mark: Decimal | None) -> Decimal:
        """Quote profit against the mark; nothing is known without a mark."""
        if not self.lots or mark is None:
            return ZERO
        return money((mark - self.entry) * units.qty.value(self.lots))

    def break_even(self, units: Units) -> Decimal:
        """Entry moved by the fees paid on the open position."""
        return self.entry + self.fees / units.qty.value(self.lots) if self.lots else ZERO

    def book(self, units: Units, price_ticks: int, signed_lots: int) -> Decimal:
        """Trade at a price; returns the realised profit, eight decimals."""
        price = units.price.value(price_ticks)
        before = self.lots
        closing = min(abs(before), abs(signed_lots)) if before * signed_lots < 0 else 0
        realised = ZERO
        if closing:
            direction = 1 if before > 0 else -1
            exact = (price - self.entry) * units.qty.value(closing * direction) + self.residue
            realised = money(exact)
            self.residue = exact - realised
        self.lots = before + signed_lots
        if self.lots == 0:
            self.entry = self.fees = ZERO
        elif not closing:
            self.entry = (self.entry * abs(before) + price * abs(signed_lots)) / abs(self.lots)
        elif before * self.lots < 0:
            self.entry, self.fees = price, ZERO
        self.realised += realised
        return realised


@dataclass(slots=True)
class Income:
    """One income row, the only way a wallet changes."""

    symbol: str
    kind: str
    amount: Decimal
    asset: str
    info: str
    at_ms: int
    tran_id: int
    trade_id: str


@dataclass(slots=True)
class Trade:
    """One fill of the account, prices in ticks and quantities in lots."""

    trade_id: int
    order_id: int
    symbol: str
    side: str
    price_ticks: int
    lots: int
    realised: Decimal
    commission: Decimal
    commission_asset: str
    maker: bool
    at_ms: int


@dataclass(slots=True)
class Account:
    """All the venue knows of one account. Orders live in the world's registry; the indexes here are rebuilt."""

    account_id: str
    api_key: str
    api_secret: str
    opening: dict[str, Decimal]
    wallet: dict[str, Decimal]
    positions: dict[str, Position] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    margin_type: dict[str, str] = field(default_factory=dict)
    dual_side: bool = False
    fee_burn: bool = False
    maker_rate: Decimal = MAKER_RATE
    taker_rate: Decimal = TAKER_RATE
    trades: dict[str, list[Trade]] = field(default_factory=dict)
    income: list[Income] = field(default_factory=list)
    income_total: dict[str, Decimal] = field(default_factory=dict)
    filled_lots: dict[str, int] = field(default_factory=dict)
    margin_called: bool = False
    updated_ms: int = 0
    next_tran_id: int = 1
    open_orders: dict[str, dict[int, Order]] = field(default_factory=dict, metadata={"transient": True})
    open_by_client: dict[tuple[str, str], Order] = field(default_factory=dict, metadata={"transient": True})
    last_by_client: dict[tuple[str, str], Order] = field(default_factory=dict, metadata={"transient": True})
    bid_value: dict[str, int] = field(default_factory=dict, metadata={"transient": True})
    ask_value: dict[str, int] = field(default_factory=dict, metadata={"transient": True})
    reducing: dict[str, int] = field(default_factory=dict, metadata={"transient": True})
    """Open reduce-only orders by symbol."""
    orders: dict[str, list[Order]] = field(default_factory=dict, metadata={"transient": True})

    def position(self, symbol: str) -> Position:
        """The one-way position, flat when never traded."""
        known = self.positions.get(symbol)
        if known is None:
            known = self.positions[symbol] = Position()
        return known

    def leverage_of(self, symbol: str) -> int:
        """Initial leverage of the symbol."""
        return self.leverage.get(symbol, DEFAULT_LEVERAGE)

    def open_of(self, symbol: str) -> dict[int, Order]:
        """Open orders of the symbol by order id, in order of acceptance."""
        return self.open_orders.setdefault(symbol, {})

    def weigh(self, order: Order, lots: int) -> None:
        """That many resting lots appeared (or, negative, left): the open-order value in ticks x lots follows."""
        if not order.reduce_only:
            values = self.bid_value if order.side == BUY else self.ask_value
            values[order.symbol] = values.get(order.symbol, 0) + order.price_ticks * lots

    def credit(self, kind: str, asset: str, amount: Decimal, at_ms: int, **labels: Any) -> None:
        """Change a wallet and write the row that explains it. `amount` has at most eight decimals."""
        row = Income(
            symbol=labels.get("symbol", ""),
            kind=kind,
            amount=amount,
            asset=asset,
            info=labels.get("info", kind),
            at_ms=at_ms,
            tran_id=9_000_000_000 + self.next_tran_id,
            trade_id=labels.get("trade_id", ""),
        )
        self.next_tran_id += 1
        self.income.append(row)
        self.wallet[asset] = self.wallet.get(asset, ZERO) + amount
        self.income_total[asset] = self.income_total.get(asset, ZERO) + amount
        self.updated_ms = at_ms

    def fee(self, notional: Decimal, rate: Decimal, asset: str, bnb_price: Decimal) -> tuple[Decimal, str]:
        """Commission and its asset: BNB when switched on and affordable, else the quote asset."""
        quote_fee = notional * rate
        if self.fee_burn and asset != "BNB":
            in_bnb = money(quote_fee * BNB_DISCOUNT / bnb_price)
            if self.wallet.get("BNB", ZERO) >= in_bnb:
                return in_bnb, "BNB"
        return money(quote_fee), asset
