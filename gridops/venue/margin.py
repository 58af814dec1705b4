"""Brackets, initial and maintenance margin, liquidation price: cross over all symbols, isolated by position.

Sits above account and book state, below the matcher and the views. It reads; only `liquidation` acts on it.
The bracket table is one for all symbols (assumption): it has the shape of the venue's, not its every figure.
In hedge mode both positions of a symbol bind margin, and so do the orders that open either (assumption).
"""

from decimal import Decimal
from functools import cache
from itertools import pairwise

from gridops.domain.values import value
from gridops.venue.account import ZERO, Account, Position, position_key
from gridops.venue.orders import BOTH, LONG, SHORT
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


@cache
def max_notional(leverage: int) -> Decimal:
    """Largest notional the venue allows at that leverage."""
    return max(bracket.cap for bracket in BRACKETS if bracket.leverage >= leverage)


def maintenance(notional: Decimal) -> Decimal:
    """Maintenance margin of a position of that absolute notional."""
    bracket = bracket_of(notional)
    return notional * bracket.maintenance - bracket.cum


@value
class SymbolMargin:
    """Margin figures of one position and its orders, or of a whole symbol, quote. `size` is the absolute notional."""

    notional: Decimal
    size: Decimal
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


NOTHING = SymbolMargin(ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)


def order_notional(account: Account, market: Market) -> tuple[Decimal, Decimal]:
    """Quote value of the resting buys and sells that may increase exposure, at their own prices."""
    symbol = market.spec.symbol
    value = market.units.lot_value
    return value * account.bid_value.get(symbol, 0), value * account.ask_value.get(symbol, 0)


def initial_with(account: Account, market: Market, now: SymbolMargin, bid: Decimal, ask: Decimal) -> Decimal:
    """Initial margin of a symbol with that much more resting to buy and to sell."""
    bid, ask = now.bid_notional + bid, now.ask_notional + ask
    if account.dual_side:
        worst = now.size + bid + ask
    else:
        worst = max(abs(now.notional + bid), abs(now.notional - ask), now.size)
    return now.position_initial + (worst - now.size) / account.leverage_of(market.spec.symbol)


def of_symbol(account: Account, market: Market) -> SymbolMargin:
    """Margin of a symbol: its positions and its orders."""
    bid, ask = order_notional(account, market)
    if not account.dual_side:
        return _figures(account, market, BOTH, bid, ask)
    long, short = _figures(account, market, LONG, bid, ZERO), _figures(account, market, SHORT, ZERO, ask)
    return SymbolMargin(
        long.notional + short.notional,
        long.size + short.size,
        long.unrealised + short.unrealised,
        long.position_initial + short.position_initial,
        long.order_initial + short.order_initial,
        long.maintenance + short.maintenance,
        bid,
        ask,
    )


def of_position(account: Account, market: Market, side: str) -> SymbolMargin:
    """Margin of one position and of the orders that may increase it."""
    bid, ask = order_notional(account, market)
    return _figures(account, market, side, ZERO if side == SHORT else bid, ZERO if side == LONG else ask)


def _figures(account: Account, market: Market, side: str, bid: Decimal, ask: Decimal) -> SymbolMargin:
    symbol = market.spec.symbol
    position = account.positions.get(position_key(symbol, side))
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
        size,
        unrealised,
        size / leverage,
        (worst - size) / leverage,
        maintenance(size) if size else ZERO,
        bid,
        ask,
    )


@value
class AccountMargin:
    """Sums over the symbols of one settlement asset, quote. The `cross` ones leave isolated positions out."""

    wallet: Decimal
    isolated: Decimal
    unrealised: Decimal
    cross_unrealised: Decimal
    position_initial: Decimal
    cross_initial: Decimal
    order_initial: Decimal
    maintenance: Decimal
    cross_maintenance: Decimal

    @property
    def balance(self) -> Decimal:
        """Margin balance: wallet and unrealised profit."""
        return self.wallet + self.unrealised

    @property
    def cross_wallet(self) -> Decimal:
        """The wallet without the margins of isolated positions."""
        return self.wallet - self.isolated

    @property
    def cross_balance(self) -> Decimal:
        """What stands behind the cross positions."""
        return self.cross_wallet + self.cross_unrealised

    @property
    def available(self) -> Decimal:
        """What new orders may still bind."""
        return max(self.cross_balance - self.cross_initial - self.order_initial, ZERO)


def isolated_wallet(world: World, account: Account, asset: str) -> Decimal:
    """Margins of the isolated positions that settle in the asset."""
    if not account.margin_type:
        return ZERO
    own = (each for each in account.positions.values() if each.isolated)
    return sum((each.isolated for each in own if world.markets[each.symbol].spec.quote_asset == asset), ZERO)


def of_account(
    world: World, account: Account, asset: str = "USDT", known: tuple[Market, SymbolMargin] | None = None
) -> AccountMargin:
    """Margin of the whole account in one settlement asset; `known` is a symbol's figure the caller has already."""
    unrealised = position_initial = order_initial = kept = ZERO
    apart_unrealised = apart_initial = apart_kept = ZERO
    for market in world.markets.values():
        if market.spec.quote_asset == asset:
            figures = known[1] if known is not None and known[0] is market else of_symbol(account, market)
            if figures is NOTHING:
                continue
            unrealised += figures.unrealised
            position_initial += figures.position_initial
            order_initial += figures.order_initial
            kept += figures.maintenance
            if account.is_isolated(market.spec.symbol):
                apart_unrealised += figures.unrealised
                apart_initial += figures.position_initial
                apart_kept += figures.maintenance
    return AccountMargin(
        account.wallet.get(asset, ZERO),
        isolated_wallet(world, account, asset),
        unrealised,
        unrealised - apart_unrealised,
        position_initial,
        position_initial - apart_initial,
        order_initial,
        kept,
        kept - apart_kept,
    )


def removable(account: Account, market: Market, position: Position) -> Decimal:
    """Isolated margin that may be taken out: a loss and the initial margin at the mark stay (assumption)."""
    own = of_position(account, market, position.side)
    return max(position.isolated + min(own.unrealised, ZERO) - own.position_initial, ZERO)


def liquidation_price(world: World, account: Account, market: Market, side: str) -> Decimal:
    """Liquidation price of a position by the venue's published formula, 0 when there is none above zero.

    The two cross positions of a symbol in hedge mode share one price.
    """
    symbol = market.spec.symbol
    position = account.positions.get(position_key(symbol, side))
    if position is None or not position.lots:
        return ZERO
    if account.is_isolated(symbol):
        return _price_where(market, position.isolated, [position])
    whole, own = of_account(world, account, market.spec.quote_asset), of_symbol(account, market)
    others = (whole.cross_unrealised - own.unrealised) - (whole.cross_maintenance - own.maintenance)
    return _price_where(market, whole.cross_wallet + others, account.held(symbol))


def _price_where(market: Market, behind: Decimal, positions: list[Position]) -> Decimal:
    """The price at which the money behind these positions is their maintenance margin."""
    numerator, slope, price = behind, ZERO, market.mark_price()
    for position in positions:
        held = market.units.qty.value(position.lots)
        bracket = bracket_of(abs(held * (position.entry if price is None else price)))
        numerator += bracket.cum - held * position.entry
        slope += abs(held) * bracket.maintenance - held
    return max(numerator / slope, ZERO) if slope else ZERO
