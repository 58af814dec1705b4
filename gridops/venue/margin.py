"""Brackets, initial and maintenance margin, liquidation price: cross margin over all symbols of an account.

Sits above account and book state, below the matcher and the views. It reads; only `liquidation` acts on it.
The bracket table is one for all symbols (assumption): it has the shape of the venue's, not its every figure.
"""

from decimal import Decimal
from itertools import pairwise

from gridops.domain.values import value
from gridops.venue.account import ZERO, Account
from gridops.venue.world import Market, World


@value
class Bracket:
    """Notional from `floor` up to `cap` (quote), with what the venue allows and demands there."""

    number: int
    leverage: int
    floor: Decimal
    cap: Decimal
    maintenance: Decimal
    cum: Decimal


def _table() -> tuple[Bracket, ...]:
    rows = (
        (125, 300_000, "0.004"),
        (100, 800_000, "0.005"),
        (75, 3_000_000, "0.0065"),
        (50, 12_000_000, "0.01"),
        (25, 70_000_000, "0.02"),
        (20, 100_000_000, "0.025"),
        (10, 230_000_000, "0.05"),
        (5, 480_000_000, "0.1"),
        (4, 600_000_000, "0.125"),
        (3, 800_000_000, "0.15"),
        (2, 1_200_000_000, "0.25"),
        (1, 1_800_000_000, "0.5"),
    )
    table: list[Bracket] = []
    floor = rate = cum = ZERO
    for number, (leverage, cap, maintenance) in enumerate(rows, start=1):
        # cum makes notional x rate - cum continuous where two brackets meet.
        cum += floor * (Decimal(maintenance) - rate)
        rate = Decimal(maintenance)
        table.append(Bracket(number, leverage, floor, Decimal(cap), rate, cum))
        floor = Decimal(cap)
    return tuple(table)


BRACKETS = _table()


def brackets() -> list[tuple[Bracket, int]]:
    """Every bracket with the least leverage that still falls in it."""
    return [(bracket, lower.leverage + 1) for bracket, lower in pairwise(BRACKETS)] + [(BRACKETS[-1], 1)]


def bracket_of(notional: Decimal) -> Bracket:
    """The bracket a notional falls in; the last one beyond the table."""
    for bracket in BRACKETS:
        if notional <= bracket.cap:
            return bracket
    return BRACKETS[-1]


def max_notional(leverage: int) -> Decimal:
    """Largest notional the venue allows at that leverage."""
    return max(bracket.cap for bracket in BRACKETS if bracket.leverage >= leverage)


def maintenance(notional: Decimal) -> Decimal:
    """Maintenance margin of a position of that absolute notional."""
    bracket = bracket_of(notional)
    return notional * bracket.maintenance - bracket.cum


@value
class SymbolMargin:
    """Margin figures of one symbol, quote."""

    notional: Decimal
    unrealised: Decimal
    position_initial: Decimal
    order_initial: Decimal
    maintenance: Decimal
    bid_notional: Decimal
    ask_notional: Decimal

    @property
    def initial(self) -> Decimal:
        """Position and open orders together."""
        return self.position_initial + self.order_initial


NOTHING = SymbolMargin(ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)


def order_notional(account: Account, market: Market) -> tuple[Decimal, Decimal]:
    """Quote value of the resting buys and sells that may increase exposure, at their own prices."""
    symbol = market.spec.symbol
    value = market.units.lot_value
    return value * account.bid_value.get(symbol, 0), value * account.ask_value.get(symbol, 0)


def of_symbol(account: Account, market: Market, extra_bid: Decimal = ZERO, extra_ask: Decimal = ZERO) -> SymbolMargin:
    """Margin of a symbol, with further resting value if asked: what a new order would make of it."""
    symbol = market.spec.symbol
    position = account.positions.get(symbol)
    bid, ask = order_notional(account, market)
    bid, ask = bid + extra_bid, ask + extra_ask
    notional = unrealised = ZERO
    if position is not None and position.lots:
        price = market.mark_price() or position.entry
        notional = market.units.qty.value(position.lots) * price
        unrealised = position.unrealised(market.units, price)
    elif not bid and not ask:
        return NOTHING
    leverage = account.leverage_of(symbol)
    size = abs(notional)
    worst = max(abs(notional + bid), abs(notional - ask), size)
    return SymbolMargin(
        notional,
        unrealised,
        size / leverage,
        (worst - size) / leverage,
        maintenance(size) if size else ZERO,
        bid,
        ask,
    )


@value
class AccountMargin:
    """Sums over the symbols of one settlement asset, quote."""

    wallet: Decimal
    unrealised: Decimal
    position_initial: Decimal
    order_initial: Decimal
    maintenance: Decimal

    @property
    def balance(self) -> Decimal:
        """Margin balance: wallet and unrealised profit."""
        return self.wallet + self.unrealised

    @property
    def available(self) -> Decimal:
        """What new orders may still bind."""
        return max(self.balance - self.position_initial - self.order_initial, ZERO)


def of_account(world: World, account: Account, asset: str = "USDT") -> AccountMargin:
    """Margin of the whole cross account in one settlement asset."""
    unrealised = position_initial = order_initial = kept = ZERO
    for market in world.markets.values():
        if market.spec.quote_asset == asset:
            figures = of_symbol(account, market)
            unrealised += figures.unrealised
            position_initial += figures.position_initial
            order_initial += figures.order_initial
            kept += figures.maintenance
    return AccountMargin(account.wallet.get(asset, ZERO), unrealised, position_initial, order_initial, kept)


def liquidation_price(world: World, account: Account, market: Market) -> Decimal:
    """Cross liquidation price of a position by the venue's published formula, 0 when there is none above zero."""
    position = account.positions.get(market.spec.symbol)
    if position is None or not position.lots:
        return ZERO
    whole, own = of_account(world, account, market.spec.quote_asset), of_symbol(account, market)
    bracket = bracket_of(abs(own.notional))
    side = 1 if position.lots > 0 else -1
    quantity = abs(market.units.qty.value(position.lots))
    others = (whole.unrealised - own.unrealised) - (whole.maintenance - own.maintenance)
    numerator = whole.wallet + others + bracket.cum - side * quantity * position.entry
    price = numerator / (quantity * bracket.maintenance - side * quantity)
    return max(price, ZERO)
