"""Raw REST rows of the venue as domain values: orders, positions, balances, trades, income, modes, rules.

The border where decimal strings become ticks, lots and Decimals; every other adapter sees values only. It refuses a row
it cannot read exactly (Malformed) instead of dropping it, because a shorter list would be a lie about the account.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation

from gridops.adapters.venue_scale import Scale
from gridops.domain.instrument import Instrument
from gridops.domain.orders import (
    VenueBalance,
    VenueIncome,
    VenueModes,
    VenueOrder,
    VenuePosition,
    VenueTrade,
)
from gridops.domain.vocabulary import Side

Row = Mapping[str, object]


_LONG, _LONG_DIGITS = 1 << 63, 20


class Malformed(ValueError):
    """The venue sent something we cannot read exactly; the message names the field."""


class ForeignSymbol(Malformed):
    """A well-formed row of a symbol whose rules we did not load."""


class Grid:
    """One symbol's instrument with its two scales at hand."""

    __slots__ = ("instrument", "price", "quantity")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.price = Scale(instrument.tick_size)
        self.quantity = Scale(instrument.step_size)


Grids = Mapping[str, Grid]


def grids(instruments: Iterable[Instrument]) -> dict[str, Grid]:
    """The conversion tables of these symbols."""
    return {each.symbol: Grid(each) for each in instruments}


def grid_of(known: Grids, symbol: str) -> Grid:
    """ForeignSymbol when the symbol's rules were not loaded."""
    found = known.get(symbol)
    if found is None:
        raise ForeignSymbol(f"symbol {symbol[:32]!r} is not ours")
    return found


def rows(payload: object) -> list[Row]:
    """A list reply. Malformed when it is something else."""
    if not isinstance(payload, list):
        raise Malformed("a list was expected")
    return [row(each) for each in payload]


def row(payload: object) -> Row:
    """An object. Malformed when it is something else."""
    if not isinstance(payload, dict):
        raise Malformed("an object was expected")
    return payload


def text(source: Row, key: str) -> str:
    """A string field."""
    found = source.get(key)
    if not isinstance(found, str):
        raise Malformed(f"{key} is no text")
    return found


def digits(source: Row, key: str) -> str:
    """A decimal field as the string the venue wrote. Binary floats are refused: they are not what it wrote."""
    found = source.get(key)
    if isinstance(found, str):
        return found
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        raise Malformed(f"{key} is no decimal")
    return format(found, "f") if isinstance(found, Decimal) else str(found)


def money(source: Row, key: str) -> Decimal:
    """An amount, exact and finite."""
    try:
        amount = Decimal(digits(source, key))
    except InvalidOperation:
        raise Malformed(f"{key} is no decimal") from None
    if not amount.is_finite():
        raise Malformed(f"{key} is not finite")
    return amount


def whole(source: Row, key: str, default: int | None = None) -> int:
    """An integer field of 64 bits, as the venue's LONG is; ids come as numbers or as strings."""
    found = source.get(key, default)
    if (
        isinstance(found, str)
        and len(found) <= _LONG_DIGITS
        and found.isascii()
        and found.removeprefix("-").isdecimal()
    ):
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not -_LONG <= found < _LONG:
        raise Malformed(f"{key} is no integer of 64 bits")
    return found


def flag(source: Row, key: str, default: bool | None = None) -> bool:
    """A yes/no field; some replies spell it as text."""
    found = source.get(key, default)
    if found in ("true", "false"):
        return found == "true"
    if not isinstance(found, bool):
        raise Malformed(f"{key} is neither true nor false")
    return found


def side(source: Row, key: str) -> Side:
    """BUY or SELL."""
    found = text(source, key)
    if found not in ("BUY", "SELL"):
        raise Malformed(f"{key} is no side")
    return Side(found)


def ticks(source: Row, key: str, grid: Grid) -> int:
    """A price on the tick grid; 0 where the venue has no price (market orders)."""
    return _exact(grid.price, source, key)


def lots(source: Row, key: str, grid: Grid) -> int:
    """A quantity on the step grid, signed as the venue signs it."""
    return _exact(grid.quantity, source, key)


def order(source: Row, known: Grids) -> VenueOrder:
    """An order as a write's reply, a query or a list gives it. Fill prices are not read: replies may lack them."""
    grid = grid_of(known, text(source, "symbol"))
    return VenueOrder(
        client_id=text(source, "clientOrderId"),
        venue_id=str(whole(source, "orderId")),
        symbol=grid.instrument.symbol,
        side=side(source, "side"),
        price_ticks=ticks(source, "price", grid),
        lots=lots(source, "origQty", grid),
        filled_lots=lots(source, "executedQty", grid),
        reduce_only=flag(source, "reduceOnly"),
        order_type=text(source, "type"),
        tif=text(source, "timeInForce"),
        status=text(source, "status"),
        updated_ms=whole(source, "updateTime", 0) or whole(source, "time", 0),
    )


def position(source: Row, known: Grids) -> VenuePosition:
    """A row of positionRisk (v2 or v3). Version 3 no longer says the margin type; an isolated margin shows it."""
    grid = grid_of(known, text(source, "symbol"))
    isolated = source.get("marginType") == "isolated" or money(source, "isolatedMargin") != 0
    return VenuePosition(
        symbol=grid.instrument.symbol,
        lots=lots(source, "positionAmt", grid),
        entry_price=money(source, "entryPrice"),
        mark_price=money(source, "markPrice"),
        unrealised=money(source, "unRealizedProfit"),
        liquidation_price=money(source, "liquidationPrice"),
        updated_ms=whole(source, "updateTime", 0),
        position_side=text(source, "positionSide"),
        isolated=isolated,
    )


def flat(symbol: str) -> VenuePosition:
    """A symbol that positionRisk v3 left out: it lists only symbols with a position or open orders."""
    zero = Decimal(0)
    return VenuePosition(
        symbol=symbol,
        lots=0,
        entry_price=zero,
        mark_price=zero,
        unrealised=zero,
        liquidation_price=zero,
        updated_ms=0,
    )


def balances(payload: object) -> tuple[VenueBalance, ...]:
    """Wallets of account v3 (`assets[].walletBalance`) or of balance v2/v3 (`[].balance`)."""
    if isinstance(payload, dict):
        found = [(each, "walletBalance") for each in rows(payload.get("assets"))]
    else:
        found = [(each, "balance") for each in rows(payload)]
    return tuple(VenueBalance(asset=text(each, "asset"), wallet=money(each, key)) for each, key in found)


def margin(payload: object) -> dict[str, Decimal]:
    """Maintenance margin and margin balance of the account, from account v3; zero where the reply does not say."""
    source = row(payload)
    pairs = (("maintenance_margin", "totalMaintMargin"), ("margin_balance", "totalMarginBalance"))
    return {ours: money(source, theirs) if theirs in source else Decimal(0) for ours, theirs in pairs}


def modes(payload: object) -> VenueModes:
    """The reply of accountConfig: the three modes in one call."""
    source = row(payload)
    return VenueModes(
        hedge=flag(source, "dualSidePosition"),
        multi_assets=flag(source, "multiAssetsMargin"),
        can_trade=flag(source, "canTrade"),
    )


def trade(source: Row, known: Grids) -> VenueTrade:
    """A row of userTrades; a positive commission was paid."""
    grid = grid_of(known, text(source, "symbol"))
    return VenueTrade(
        symbol=grid.instrument.symbol,
        trade_id=whole(source, "id"),
        venue_id=str(whole(source, "orderId")),
        side=side(source, "side"),
        price_ticks=ticks(source, "price", grid),
        lots=lots(source, "qty", grid),
        fee=money(source, "commission"),
        fee_asset=text(source, "commissionAsset"),
        realised=money(source, "realizedPnl"),
        maker=flag(source, "maker"),
        at_ms=whole(source, "time"),
    )


def income(source: Row) -> VenueIncome:
    """A row of income. Its ids come as numbers or strings, depending on the row's type."""
    traded = source.get("tradeId", "")
    return VenueIncome(
        income_type=text(source, "incomeType"),
        tran_id=str(whole(source, "tranId")),
        symbol=text(source, "symbol"),
        asset=text(source, "asset"),
        amount=money(source, "income"),
        at_ms=whole(source, "time"),
        trade_id=str(whole(source, "tradeId")) if traded not in ("", None) else "",
    )


def instruments(payload: object, wanted: Iterable[str]) -> tuple[Instrument, ...]:
    """The rules of the wanted symbols out of exchangeInfo, in the wanted order; what the venue lacks is left out."""
    listed = {str(each.get("symbol")): each for each in rows(row(payload).get("symbols"))}
    return tuple(instrument(listed[symbol]) for symbol in wanted if symbol in listed)


def instrument(source: Row) -> Instrument:
    """One symbol's rules. `pricePrecision` is not the tick: the filters are the law."""
    filters = {str(each.get("filterType")): each for each in rows(source.get("filters"))}
    prices, sizes = _filter(filters, "PRICE_FILTER"), _filter(filters, "LOT_SIZE")
    tick, step = _positive(prices, "tickSize"), _positive(sizes, "stepSize")
    percent, orders = _filter(filters, "PERCENT_PRICE"), filters.get("MAX_NUM_ORDERS", {})
    return Instrument(
        symbol=text(source, "symbol"),
        settle_asset=text(source, "marginAsset"),
        tick_size=tick,
        step_size=step,
        min_price_ticks=_ceiling(money(prices, "minPrice") / tick),
        max_price_ticks=_floor(money(prices, "maxPrice") / tick),
        min_lots=_ceiling(money(sizes, "minQty") / step),
        max_lots=_floor(money(sizes, "maxQty") / step),
        market_max_lots=_floor(money(filters.get("MARKET_LOT_SIZE", sizes), "maxQty") / step),
        min_notional=money(_filter(filters, "MIN_NOTIONAL"), "notional"),
        percent_up=money(percent, "multiplierUp"),
        percent_down=money(percent, "multiplierDown"),
        max_orders=whole(orders, "limit", 200),
        max_amends=whole(source, "maxMoveOrderLimit", 10_000),
        trading=text(source, "status") == "TRADING",
    )


def _exact(scale: Scale, source: Row, key: str) -> int:
    try:
        return scale.exact(digits(source, key))
    except Malformed:
        raise
    except ValueError as error:
        raise Malformed(f"{key}: {error}") from error


def _filter(filters: Mapping[str, Row], name: str) -> Row:
    if name not in filters:
        raise Malformed(f"the filter {name} is missing")
    return filters[name]


def _positive(source: Row, key: str) -> Decimal:
    size = money(source, key)
    if size <= 0:
        raise Malformed(f"{key} is not positive")
    return size


def _ceiling(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_CEILING))


def _floor(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_FLOOR))
