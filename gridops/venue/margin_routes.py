"""Signed routes about the margin of one isolated position. Sits above views and margin, reached via `routes`."""

from typing import Any

from gridops.venue import account_views, margin
from gridops.venue import private as events
from gridops.venue.account import Account, MarginChange, Position
from gridops.venue.errors import VenueError
from gridops.venue.orders import BOTH, LONG, SHORT
from gridops.venue.params import Params, bounded, integer, malformed, need, number, text
from gridops.venue.routes import private
from gridops.venue.units import money
from gridops.venue.world import Market, World

_ADD, _REDUCE = 1, 2


@private("POST", "/fapi/v1/positionMargin")
def change_margin(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Move money between the cross balance and one position: type 1 adds to it, type 2 takes out."""
    market, amount, kind = world.market(need(params, "symbol")), number(params, "amount"), integer(params, "type")
    if kind not in (_ADD, _REDUCE):
        raise malformed("type")
    if amount <= 0 or amount != money(amount):
        raise VenueError(-4055, "Amount must be positive.")
    position, asset = _position(account, market, params), market.spec.quote_asset
    if kind == _ADD and amount > margin.of_account(world, account, asset).available:
        raise VenueError(-4050, "Cross balance insufficient.")
    if kind == _REDUCE and amount > margin.removable(account, market, position):
        raise VenueError(-4051, "Isolated balance insufficient.")
    moved = money(amount if kind == _ADD else -amount)
    position.isolated += moved
    account.margin_changes.append(MarginChange(position.symbol, position.side, moved, asset, world.now_ms))
    events.account_update(world, account, "MARGIN_TRANSFER", (asset,), market=market, side=position.side)
    return {"amount": float(amount), "code": 200, "msg": "Successfully modify position margin.", "type": kind}


def _position(account: Account, market: Market, params: Params) -> Position:
    side = text(params, "positionSide") or BOTH
    if side not in (BOTH, LONG, SHORT):
        raise VenueError(-4060, "Invalid position side.")
    if side not in account.sides():
        raise VenueError(-4061, "Order's position side does not match user's setting.")
    if not account.is_isolated(market.spec.symbol):
        raise VenueError(-4049, "Add margin only support for isolated position.")
    position = account.position(market.spec.symbol, side)
    if not position.lots:
        raise VenueError(-4054, "Cannot add position margin: position is 0.")
    return position


@private("GET", "/fapi/v1/positionMargin/history")
def margin_history(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Deliberate changes of the symbol, oldest first; what fills moved is not among them (assumption)."""
    symbol, kind = world.market(need(params, "symbol")).spec.symbol, integer(params, "type")
    if kind not in (None, _ADD, _REDUCE):
        raise malformed("type")
    start, end = integer(params, "startTime") or 0, integer(params, "endTime")
    rows = [
        account_views.margin_change(each)
        for each in account.margin_changes
        if each.symbol == symbol and start <= each.at_ms <= (world.now_ms if end is None else end)
    ]
    return [row for row in rows if kind in (None, row["type"])][-bounded(params, "limit", 500, 500) :]
