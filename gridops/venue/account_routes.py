"""Signed routes about balances, positions, income and settings. Sits above views and margin, reached via `routes`."""

from typing import Any

from gridops.venue import account_views, order_views
from gridops.venue import private as events
from gridops.venue.account import Account
from gridops.venue.errors import VenueError
from gridops.venue.margin import BRACKETS, max_notional, of_symbol
from gridops.venue.params import Params, bounded, flag, integer, malformed, need, text
from gridops.venue.routes import private
from gridops.venue.units import plain
from gridops.venue.world import Market, World

_WEEK_MS = 7 * 86_400_000
_DONE = {"code": 200, "msg": "success"}


def _markets(world: World, params: Params) -> list[Market]:
    symbol = text(params, "symbol")
    return [world.market(symbol)] if symbol else list(world.markets.values())


@private("GET", "/fapi/v2/account")
def account_v2(world: World, account: Account, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """Balances and every symbol's position."""
    return account_views.account(world, account, version=2)


@private("GET", "/fapi/v3/account")
def account_v3(world: World, account: Account, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """Balances and the positions in use."""
    return account_views.account(world, account, version=3)


@private("GET", "/fapi/v2/balance", "/fapi/v3/balance")
def balance(world: World, account: Account, params: Params) -> list[dict[str, Any]]:  # noqa: ARG001
    """Balances by asset."""
    return account_views.balances(world, account)


@private("GET", "/fapi/v2/positionRisk")
def position_risk_v2(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Every symbol, flat ones too."""
    return [
        account_views.position_risk(world, account, market, side, version=2)
        for market in _markets(world, params)
        for side in account.sides()
    ]


@private("GET", "/fapi/v3/positionRisk")
def position_risk_v3(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Positions in use: lots or an open order."""
    return [
        account_views.position_risk(world, account, market, side, version=3)
        for market in _markets(world, params)
        for side in account.sides()
        if account_views.shown(account, market, side)
    ]


@private("GET", "/fapi/v1/income")
def income(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Income rows, ascending; without times the newest of the last seven days."""
    kind, symbol = text(params, "incomeType"), text(params, "symbol")
    start, end = integer(params, "startTime"), integer(params, "endTime")
    limit, page = bounded(params, "limit", 100, 1000), bounded(params, "page", 1, 1_000_000)
    first = start if start is not None else (end or world.now_ms) - _WEEK_MS
    last = end if end is not None else world.now_ms
    rows = [
        row
        for row in account.income
        if first <= row.at_ms <= last and kind in (None, row.kind) and symbol in (None, row.symbol)
    ]
    if start is None and page == 1:
        rows = rows[-limit:]
    else:
        rows = rows[(page - 1) * limit : page * limit]
    return [order_views.income(row) for row in rows]


@private("POST", "/fapi/v1/leverage")
def set_leverage(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Initial leverage 1 to 125, refused when the position is too large for it."""
    market, leverage = world.market(need(params, "symbol")), integer(params, "leverage")
    if leverage is None or not 1 <= leverage <= BRACKETS[0].leverage:
        raise VenueError(-4028, f"Leverage {leverage} is not valid")
    if of_symbol(account, market).size > max_notional(leverage):
        raise VenueError(-2027, "Exceeded the maximum allowable position at current leverage.")
    symbol = market.spec.symbol
    if account.is_isolated(symbol) and account.held(symbol) and leverage < account.leverage_of(symbol):
        raise VenueError(-4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions")
    account.leverage[symbol] = leverage
    events.leverage_changed(world, account, symbol, leverage)
    return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": plain(max_notional(leverage))}


@private("POST", "/fapi/v1/marginType")
def set_margin_type(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Cross or isolated, for the positions to come; the account is told."""
    market, wanted = world.market(need(params, "symbol")), need(params, "marginType")
    symbol = market.spec.symbol
    if wanted not in ("ISOLATED", "CROSSED"):
        raise malformed("marginType")
    if account.margin_type.get(symbol, "CROSSED") == wanted:
        raise VenueError(-4046, "No need to change margin type.")
    if account.open_of(symbol):
        raise VenueError(-4047, "Margin type cannot be changed if there exists open orders.")
    if account.held(symbol):
        raise VenueError(-4048, "Margin type cannot be changed if there exists position.")
    account.margin_type[symbol] = wanted
    for side in account.sides():
        events.account_update(world, account, "MARGIN_TYPE_CHANGE", (), market=market, side=side)
    return _DONE


@private("GET", "/fapi/v1/positionSide/dual")
def position_mode(world: World, account: Account, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """One-way or hedge."""
    return {"dualSidePosition": account.dual_side}


@private("POST", "/fapi/v1/positionSide/dual")
def set_position_mode(world: World, account: Account, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """Switch the mode of the whole account, only while nothing is open."""
    wanted = flag(params, "dualSidePosition")
    if wanted is None:
        raise malformed("dualSidePosition")
    if wanted == account.dual_side:
        raise VenueError(-4059, "No need to change position side.")
    if any(account.open_orders.values()):
        raise VenueError(-4067, "Position side cannot be changed if there exists open orders.")
    if any(position.lots for position in account.positions.values()):
        raise VenueError(-4068, "Position side cannot be changed if there exists position.")
    account.dual_side = wanted
    return _DONE


@private("GET", "/fapi/v1/multiAssetsMargin")
def multi_assets(world: World, account: Account, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """Always single-asset."""
    return {"multiAssetsMargin": False}


@private("GET", "/fapi/v1/leverageBracket")
def leverage_bracket(world: World, account: Account, params: Params) -> Any:  # noqa: ARG001
    """Brackets of the symbols; a list also for one symbol."""
    return [account_views.brackets(market) for market in _markets(world, params)]


@private("GET", "/fapi/v1/symbolConfig")
def symbol_config(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Margin type and leverage by symbol."""
    return [account_views.symbol_config(account, market.spec.symbol) for market in _markets(world, params)]


@private("GET", "/fapi/v1/accountConfig")
def account_config(world: World, account: Account, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """Permissions and modes. The emulated key cannot withdraw."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": False,
        "dualSidePosition": account.dual_side,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


@private("GET", "/fapi/v1/commissionRate")
def commission_rate(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Maker and taker rate."""
    return {
        "symbol": world.market(need(params, "symbol")).spec.symbol,
        "makerCommissionRate": plain(account.maker_rate),
        "takerCommissionRate": plain(account.taker_rate),
        "rpiCommissionRate": "0.00005",
    }


@private("GET", "/fapi/v1/feeBurn")
def fee_burn(world: World, account: Account, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """Whether fees are paid in BNB."""
    return {"feeBurn": account.fee_burn}


@private("POST", "/fapi/v1/feeBurn")
def set_fee_burn(world: World, account: Account, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """Pay fees in BNB while the wallet has enough."""
    wanted = flag(params, "feeBurn")
    if wanted is None:
        raise malformed("feeBurn")
    account.fee_burn = wanted
    return _DONE


@private("GET", "/fapi/v1/apiTradingStatus")
def trading_status(world: World, account: Account, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """No quantitative rule is ever broken here."""
    return {"indicators": {}, "updateTime": world.now_ms}
