"""JSON bodies about balances, positions and settings, v2 and v3. It reads state and changes nothing."""

from decimal import Decimal
from typing import Any

from gridops.venue import margin
from gridops.venue.account import ZERO, Account, MarginChange, Position
from gridops.venue.units import money, money_text, plain
from gridops.venue.world import Market, World


def balances(world: World, account: Account) -> list[dict[str, Any]]:
    """The list of v2 and v3 balance."""
    rows = []
    for asset in sorted(account.wallet):
        figures = margin.of_account(world, account, asset)
        rows.append(
            {
                "accountAlias": "gridops",
                "asset": asset,
                "balance": money_text(figures.wallet),
                "crossWalletBalance": money_text(figures.cross_wallet),
                "crossUnPnl": money_text(figures.cross_unrealised),
                "availableBalance": money_text(figures.available),
                "maxWithdrawAmount": _withdrawable(figures),
                "marginAvailable": True,
                "updateTime": account.updated_ms,
            }
        )
    return rows


def account(world: World, account: Account, *, version: int) -> dict[str, Any]:
    """v2 lists every symbol's position and the permissions; v3 only what is held or ordered."""
    figures = margin.of_account(world, account)
    body: dict[str, Any] = {
        "totalInitialMargin": money_text(figures.position_initial + figures.order_initial),
        "totalMaintMargin": money_text(figures.maintenance),
        "totalWalletBalance": money_text(figures.wallet),
        "totalUnrealizedProfit": money_text(figures.unrealised),
        "totalMarginBalance": money_text(figures.balance),
        "totalPositionInitialMargin": money_text(figures.position_initial),
        "totalOpenOrderInitialMargin": money_text(figures.order_initial),
        "totalCrossWalletBalance": money_text(figures.cross_wallet),
        "totalCrossUnPnl": money_text(figures.cross_unrealised),
        "availableBalance": money_text(figures.available),
        "maxWithdrawAmount": _withdrawable(figures),
        "assets": [_asset(world, account, asset) for asset in sorted(account.wallet)],
        "positions": [
            _position(account, market, side, version)
            for market in world.markets.values()
            for side in account.sides()
            if version == 2 or shown(account, market, side)
        ],
    }
    if version == 2:
        body.update(
            feeTier=0,
            canTrade=True,
            canDeposit=True,
            canWithdraw=False,
            updateTime=0,
            multiAssetsMargin=False,
            tradeGroupId=-1,
        )
    return body


def _withdrawable(figures: margin.AccountMargin) -> str:
    return money_text(max(min(figures.available, figures.cross_wallet), ZERO))


def shown(account: Account, market: Market, side: str) -> bool:
    """Whether v3 lists the position: lots of it or an open order for it."""
    symbol = market.spec.symbol
    if any(position.side == side for position in account.held(symbol)):
        return True
    return any(order.position_side == side for order in account.open_orders.get(symbol, {}).values())


def _isolated(position: Position, figures: margin.SymbolMargin) -> tuple[Decimal, Decimal]:
    """Isolated wallet, and the margin it makes with the profit; zeros in cross margin."""
    own = position.isolated
    return own, own + figures.unrealised if own else ZERO


def _asset(world: World, account: Account, asset: str) -> dict[str, Any]:
    figures = margin.of_account(world, account, asset)
    body: dict[str, Any] = {
        "asset": asset,
        "walletBalance": money_text(figures.wallet),
        "unrealizedProfit": money_text(figures.unrealised),
        "marginBalance": money_text(figures.balance),
        "maintMargin": money_text(figures.maintenance),
        "initialMargin": money_text(figures.position_initial + figures.order_initial),
        "positionInitialMargin": money_text(figures.position_initial),
        "openOrderInitialMargin": money_text(figures.order_initial),
        "crossWalletBalance": money_text(figures.cross_wallet),
        "crossUnPnl": money_text(figures.cross_unrealised),
        "availableBalance": money_text(figures.available),
        "maxWithdrawAmount": _withdrawable(figures),
        "updateTime": account.updated_ms,
    }
    body["marginAvailable"] = True
    return body


def _position(account: Account, market: Market, side: str, version: int) -> dict[str, Any]:
    symbol, figures = market.spec.symbol, margin.of_position(account, market, side)
    position = account.position(symbol, side)
    wallet, whole = _isolated(position, figures)
    body: dict[str, Any] = {
        "symbol": symbol,
        "positionSide": side,
        "positionAmt": market.units.qty.text(position.lots),
        "unrealizedProfit": money_text(figures.unrealised),
        "isolatedMargin": money_text(whole),
        "notional": plain(money(figures.notional)),
        "isolatedWallet": plain(wallet),
        "initialMargin": money_text(figures.initial),
        "maintMargin": money_text(figures.maintenance),
        "updateTime": position.updated_ms,
    }
    if version == 2:
        leverage = account.leverage_of(symbol)
        body.update(
            isolated=account.is_isolated(symbol),
            leverage=str(leverage),
            entryPrice=plain(money(position.entry)),
            breakEvenPrice=plain(money(position.break_even(market.units))),
            maxNotional=plain(margin.max_notional(leverage)),
            positionInitialMargin=money_text(figures.position_initial),
            openOrderInitialMargin=money_text(figures.order_initial),
            bidNotional=plain(figures.bid_notional),
            askNotional=plain(figures.ask_notional),
        )
    return body


def position_risk(world: World, account: Account, market: Market, side: str, *, version: int) -> dict[str, Any]:
    """One row of positionRisk."""
    symbol, figures = market.spec.symbol, margin.of_position(account, market, side)
    position = account.position(symbol, side)
    wallet, whole = _isolated(position, figures)
    body: dict[str, Any] = {
        "symbol": symbol,
        "positionSide": side,
        "positionAmt": market.units.qty.text(position.lots),
        "entryPrice": plain(money(position.entry)),
        "breakEvenPrice": plain(money(position.break_even(market.units))),
        "markPrice": money_text(market.mark_price() or ZERO),
        "unRealizedProfit": money_text(figures.unrealised),
        "liquidationPrice": plain(money(margin.liquidation_price(world, account, market, side))),
        "isolatedMargin": plain(money(whole)),
        "notional": plain(money(figures.notional)),
        "isolatedWallet": plain(wallet),
        "updateTime": position.updated_ms,
    }
    leverage = account.leverage_of(symbol)
    if version == 2:
        body.update(
            marginType="isolated" if account.is_isolated(symbol) else "cross",
            isAutoAddMargin="false",
            leverage=str(leverage),
            maxNotionalValue=plain(margin.max_notional(leverage)),
        )
    else:
        body.update(
            marginAsset=market.spec.quote_asset,
            initialMargin=money_text(figures.initial),
            maintMargin=money_text(figures.maintenance),
            positionInitialMargin=money_text(figures.position_initial),
            openOrderInitialMargin=money_text(figures.order_initial),
            adl=2 if position.lots else 0,
            bidNotional=plain(figures.bid_notional),
            askNotional=plain(figures.ask_notional),
        )
    return body


def brackets(market: Market) -> dict[str, Any]:
    """Leverage brackets; the venue sends these as numbers, so they leave here as floats."""
    rows = [
        {
            "bracket": bracket.number,
            "initialLeverage": bracket.leverage,
            "notionalCap": int(bracket.cap),
            "notionalFloor": int(bracket.floor),
            "maintMarginRatio": float(bracket.maintenance),
            "cum": float(bracket.cum),
        }
        for bracket in margin.BRACKETS
    ]
    return {"symbol": market.spec.symbol, "notionalCoef": 1.0, "brackets": rows}


def symbol_config(account: Account, symbol: str) -> dict[str, Any]:
    """Margin type and leverage of one symbol."""
    leverage = account.leverage_of(symbol)
    return {
        "symbol": symbol,
        "marginType": account.margin_type.get(symbol, "CROSSED"),
        "isAutoAddMargin": False,
        "leverage": leverage,
        "maxNotionalValue": plain(margin.max_notional(leverage)),
    }


def margin_change(change: MarginChange) -> dict[str, Any]:
    """One row of the margin history."""
    return {
        "symbol": change.symbol,
        "type": 1 if change.amount > 0 else 2,
        "deltaType": "USER_ADJUST",
        "amount": plain(abs(change.amount)),
        "asset": change.asset,
        "time": change.at_ms,
        "positionSide": change.side,
    }
