"""What the venue still knows of the past, and the forgetting of the rest.

Sits above the world, below the routes and the clockwork. An order that ended without a fill is known for three days,
any other ended order and a fill and an income row for ninety. The rule counts to the millisecond where it is asked; the
memory itself is cleared once an hour of venue time, which changes no answer. Open orders are never forgotten.

Assumption: a conditional order is known as long as the order it became, three days when it became none.
"""

from collections.abc import Iterable, MutableSequence
from typing import Protocol, TypeVar

from gridops.venue import algos
from gridops.venue.account import Account
from gridops.venue.algos import Algo
from gridops.venue.orders import CANCELED, EXPIRED, Order
from gridops.venue.world import World

_DAY_MS = 86_400_000
UNFILLED_KEPT_MS = 3 * _DAY_MS
KEPT_MS = 90 * _DAY_MS
SWEEP_EVERY_MS = 3_600_000


class _Dated(Protocol):
    at_ms: int


_Row = TypeVar("_Row", bound=_Dated)


def remembered(world: World, order: Order) -> bool:
    """Whether the venue still answers for this order."""
    if order.open:
        return True
    age = world.now_ms - order.updated_ms
    unfilled = order.status in (CANCELED, EXPIRED) and not order.filled_lots
    return age <= (UNFILLED_KEPT_MS if unfilled else KEPT_MS)


def sweep(world: World) -> None:
    """Forget what has become too old, if an hour has passed since the last time."""
    if world.now_ms - world.swept_ms < SWEEP_EVERY_MS:
        return
    world.swept_ms = world.now_ms
    for symbol, orders in world.orders.items():
        gone = [order for order in orders.values() if not remembered(world, order)]
        if gone:
            _forget(world, symbol, gone)
    for made in [made for made in world.algos.values() if not _remembered_algo(world, made)]:
        del world.algos[made.algo_id]
    for account in world.accounts.values():
        for fills in account.trades.values():
            _drop_old(world, fills)
        _drop_old(world, account.income)
        _drop_old(world, account.margin_changes)


def _forget(world: World, symbol: str, gone: Iterable[Order]) -> None:
    known, touched = world.orders[symbol], set[str]()
    for order in gone:
        del known[order.order_id]
        world.frozen.pop(id(order), None)
        touched.add(order.account_id)
        account, key = world.accounts[order.account_id], (symbol, order.client_id)
        if account.last_by_client.get(key) is order:
            del account.last_by_client[key]
    for name in sorted(touched):
        _relist(world.accounts[name], symbol, known)


def _relist(account: Account, symbol: str, known: dict[int, Order]) -> None:
    account.orders[symbol] = [order for order in account.orders[symbol] if order.order_id in known]


def _remembered_algo(world: World, made: Algo) -> bool:
    if made.status in (algos.WAITING, algos.TRIGGERING):
        return True
    if made.order_id:
        return made.order_id in world.orders.get(made.symbol, {})
    return world.now_ms - made.updated_ms <= UNFILLED_KEPT_MS


def _drop_old(world: World, rows: MutableSequence[_Row]) -> None:
    """Rows are in order of time, so the old ones are at the front."""
    old = 0
    while old < len(rows) and world.now_ms - rows[old].at_ms > KEPT_MS:
        world.frozen.pop(id(rows[old]), None)
        old += 1
    if old:
        del rows[:old]
