"""One account: wallets, positions, settings, its trades and income rows, and how a fill changes them.

Sits under the matcher. Money is Decimal at eight decimals and every change of a wallet is an income row, so that
wallet = opening + sum of income at any time. In one-way mode a symbol has one position, in hedge mode two.

Assumptions on isolated margin: a fill moves its initial margin into the position's wallet, a partial close moves the
same share out of it, commissions are paid from the cross balance, and so is what a close loses beyond the margin.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gridops.venue.orders import BOTH, BUY, LONG, SHORT, Order
from gridops.venue.units import Units, money

ZERO = Decimal(0)
DEFAULT_LEVERAGE = 20
MAKER_RATE = Decimal("0.0002")
TAKER_RATE = Decimal("0.0005")
BNB_DISCOUNT = Decimal("0.9")
"""Assumption: paying fees in BNB makes them ten per cent cheaper."""


_ONE_WAY, _HEDGED = (BOTH,), (LONG, SHORT)


def position_key(symbol: str, side: str) -> str:
    """Key of a position: the symbol alone in one-way mode."""
    return symbol if side == BOTH else f"{symbol}/{side}"


@dataclass(slots=True)
class Position:
    """Signed lots at an average entry price; `fees` since it was last flat, `realised` since ever."""

    symbol: str
    side: str = BOTH
    lots: int = 0
    entry: Decimal = ZERO
    fees: Decimal = ZERO
    realised: Decimal = ZERO
    updated_ms: int = 0
    residue: Decimal = ZERO
    """Profit too small to book so far; it goes with the next booking, so that roundings never add up."""
    isolated: Decimal = ZERO
    """Margin of its own, part of the account's wallet; zero in cross margin."""
    margin_called: bool = False
    """Its own call, in isolated margin."""

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

    def bind(self, units: Units, price_ticks: int, signed_lots: int, realised: Decimal, leverage: int) -> None:
        """Move the isolated margin after a trade was booked: out with what closed, in for what opened."""
        before = self.lots - signed_lots
        closed = min(abs(before), abs(signed_lots)) if before * signed_lots < 0 else 0
        if closed:
            kept = abs(before) - closed
            released = self.isolated - money(self.isolated * kept / abs(before))
            self.isolated -= released
            uncovered = max(-(released + realised), ZERO)
            self.isolated -= min(uncovered, max(self.isolated, ZERO))
        opened = abs(signed_lots) - closed
        if opened:
            self.isolated += money(units.notional(price_ticks, opened) / leverage)


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
class MarginChange:
    """One deliberate change of a position's isolated margin; a negative amount took margin out."""

    symbol: str
    side: str
    amount: Decimal
    asset: str
    at_ms: int


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
    position_side: str = BOTH


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
    margin_changes: list[MarginChange] = field(default_factory=list)
    income_total: dict[str, Decimal] = field(default_factory=dict)
    filled_lots: dict[str, int] = field(default_factory=dict)
    """Signed sum of all fills, by position as in `positions`."""
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

    def position(self, symbol: str, side: str = BOTH) -> Position:
        """A position of the symbol, flat when never traded."""
        key = position_key(symbol, side)
        known = self.positions.get(key)
        if known is None:
            known = self.positions[key] = Position(symbol, side)
        return known

    def sides(self) -> tuple[str, ...]:
        """The positions a symbol has in the mode of the account."""
        return _HEDGED if self.dual_side else _ONE_WAY

    def held(self, symbol: str) -> list[Position]:
        """Positions of the symbol that are not flat."""
        known = (self.positions.get(position_key(symbol, side)) for side in self.sides())
        return [position for position in known if position is not None and position.lots]

    def is_isolated(self, symbol: str) -> bool:
        """Whether positions of the symbol have margins of their own."""
        return self.margin_type.get(symbol) == "ISOLATED"

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
