"""The rate ledger: what was spent in the venue's windows, what is left, and when the next slot frees.

State of the engine, changed by what is sent and by what the venue's headers report; times are the venue's clock, since
its windows are. A reserve is kept for cancels, reductions and truth. It sends nothing and waits for nothing.
"""

from dataclasses import dataclass

from gridops.domain.events import BudgetSeen
from gridops.domain.rules import BudgetRules
from gridops.domain.values import record, value
from gridops.domain.vocabulary import OpKind, QueryKind

TEN_SECONDS_MS, MINUTE_MS = 10_000, 60_000
EDGE_MS = 500
"""A request sent this close to the end of a window may be counted by the venue in the next: we count it in both."""
BAN_MS = 120_000
"""Shortest ban of the venue, when it does not say how long."""
LONGEST_BAN_MS = 3 * 86_400_000


@dataclass(slots=True)
class Window:
    """One fixed window of the venue: 10 seconds or a minute, aligned to its clock."""

    length_ms: int
    index: int = 0
    used: int = 0
    carried: int = 0
    """Spent at the very end of this window; the next one starts with it."""


@dataclass(slots=True)
class RateLedger:
    orders_10s: Window
    orders_1m: Window
    weight_1m: Window
    banned_until_ms: int = 0
    """418: nothing leaves before."""
    held_until_ms: int = 0
    """Retry-After of a 429: no increase leaves before."""


@value
class Cost:
    orders_10s: int = 0
    orders_1m: int = 0
    weight: int = 0


@record
class Room:
    """What may still be sent now. The `reserve` figures are for cancels, reductions and truth."""

    orders: int
    orders_reserve: int
    weight: int
    weight_reserve: int
    banned: bool


def new_ledger() -> RateLedger:
    return RateLedger(Window(TEN_SECONDS_MS), Window(MINUTE_MS), Window(MINUTE_MS))


def boot(previous: RateLedger, now_ms: int) -> RateLedger:
    """Ledger of a new process: counts start over and the venue's headers correct them, but its order to stop stands.

    An end further away than the longest ban can only come from another clock, and counts as that.
    """
    latest_ms = now_ms + LONGEST_BAN_MS
    ledger = new_ledger()
    ledger.banned_until_ms = min(previous.banned_until_ms, latest_ms)
    ledger.held_until_ms = min(previous.held_until_ms, latest_ms)
    return ledger


_ALONE = {
    OpKind.PLACE: Cost(1, 1, 0),
    OpKind.AMEND: Cost(1, 1, 0),
    OpKind.CANCEL: Cost(weight=1),
    OpKind.CANCEL_ALL: Cost(weight=1),
    OpKind.DEADMAN: Cost(weight=10),
}


def op_cost(kind: OpKind, count: int = 1) -> Cost:
    """Price of one call of `count` operations. A batch counts its length on the 10 s window, 1 on the minute."""
    if count != 1 and kind in (OpKind.PLACE, OpKind.AMEND):
        return Cost(count, 1, 5)
    return _ALONE[kind]


_QUERY_WEIGHT = {
    QueryKind.ORDER: 1,
    QueryKind.OPEN_ORDERS: 1,
    # Positions 5, account 5, account configuration 5.
    QueryKind.POSITIONS: 15,
    QueryKind.TRADES: 5,
    QueryKind.INCOME: 30,
    QueryKind.TIME: 1,
    QueryKind.RULES: 6,
}


def query_cost(kind: QueryKind) -> Cost:
    """IP weight of one read."""
    return Cost(weight=_QUERY_WEIGHT[kind])


def spend(ledger: RateLedger, cost: Cost, now_ms: int) -> None:
    """Count a call the moment it is handed over, whatever becomes of it."""
    if cost.orders_10s:
        _spend(ledger.orders_10s, cost.orders_10s, now_ms)
    if cost.orders_1m:
        _spend(ledger.orders_1m, cost.orders_1m, now_ms)
    if cost.weight:
        _spend(ledger.weight_1m, cost.weight, now_ms)


def seen(ledger: RateLedger, report: BudgetSeen, now_ms: int) -> None:
    """Take over the venue's own count where it is higher, and its order to stop."""
    for window, used in (
        (ledger.orders_10s, report.orders_10s),
        (ledger.orders_1m, report.orders_1m),
        (ledger.weight_1m, report.weight_1m),
    ):
        _roll(window, now_ms)
        window.used = max(window.used, used)
    if report.banned:
        ledger.banned_until_ms = max(ledger.banned_until_ms, now_ms + (report.retry_after_ms or BAN_MS))
    elif report.retry_after_ms > 0:
        ledger.held_until_ms = max(ledger.held_until_ms, now_ms + report.retry_after_ms)


def clock_set(ledger: RateLedger, by_ms: int, now_ms: int) -> None:
    """The venue's time as we reckon it jumped by so much: an order to stop that is in force lasts as long as before."""
    if ledger.banned_until_ms > now_ms:
        ledger.banned_until_ms += by_ms
    if ledger.held_until_ms > now_ms:
        ledger.held_until_ms += by_ms


def room(ledger: RateLedger, rules: BudgetRules, now_ms: int) -> Room:
    """What is left now. Banned: nothing at all; held: nothing that raises risk."""
    if now_ms < ledger.banned_until_ms:
        return Room(orders=0, orders_reserve=0, weight=0, weight_reserve=0, banned=True)
    used_10s, used_1m, weight = _used(ledger, now_ms)
    free = min(rules.orders_10s - used_10s, rules.orders_1m - used_1m)
    kept = min(
        _share(rules.orders_10s, rules.reserve_pct) - used_10s, _share(rules.orders_1m, rules.reserve_pct) - used_1m
    )
    held = now_ms < ledger.held_until_ms
    return Room(
        orders=0 if held else max(0, kept),
        orders_reserve=max(0, free),
        weight=0 if held else max(0, _share(rules.weight_1m, rules.reserve_pct) - weight),
        weight_reserve=max(0, rules.weight_1m - weight),
        banned=False,
    )


def used_pct(ledger: RateLedger, rules: BudgetRules, now_ms: int) -> int:
    """Largest used share of any budget, in percent; 100 while banned or held."""
    if now_ms < max(ledger.banned_until_ms, ledger.held_until_ms):
        return 100
    used_10s, used_1m, weight = _used(ledger, now_ms)
    return max(used_10s * 100 // rules.orders_10s, used_1m * 100 // rules.orders_1m, weight * 100 // rules.weight_1m)


def frees_ms(ledger: RateLedger, now_ms: int) -> int | None:
    """When the used share next falls by itself, on the venue's clock; None when nothing is used."""
    blocked = max(ledger.banned_until_ms, ledger.held_until_ms)
    if now_ms < blocked:
        return blocked
    soonest: int | None = None
    for window in (ledger.orders_10s, ledger.orders_1m, ledger.weight_1m):
        if _used_in(window, now_ms):
            ends_ms = (now_ms // window.length_ms + 1) * window.length_ms
            soonest = ends_ms if soonest is None or ends_ms < soonest else soonest
    return soonest


def retry_ms(ledger: RateLedger, rules: BudgetRules, now_ms: int) -> int:
    """When an increase that finds no slot now may be tried again; now when there is one."""
    blocked = max(ledger.banned_until_ms, ledger.held_until_ms)
    if now_ms < blocked:
        return blocked
    used_10s, used_1m, _ = _used(ledger, now_ms)
    if used_1m >= _share(rules.orders_1m, rules.reserve_pct):
        return (now_ms // MINUTE_MS + 1) * MINUTE_MS
    if used_10s >= _share(rules.orders_10s, rules.reserve_pct):
        return (now_ms // TEN_SECONDS_MS + 1) * TEN_SECONDS_MS
    return now_ms


def _share(limit: int, reserve_pct: int) -> int:
    return limit * (100 - reserve_pct) // 100


def _used(ledger: RateLedger, now_ms: int) -> tuple[int, int, int]:
    return _used_in(ledger.orders_10s, now_ms), _used_in(ledger.orders_1m, now_ms), _used_in(ledger.weight_1m, now_ms)


def _used_in(window: Window, now_ms: int) -> int:
    index = now_ms // window.length_ms
    if index <= window.index:
        return window.used
    return window.carried if index == window.index + 1 else 0


def _roll(window: Window, now_ms: int) -> None:
    """Enter the window of now. A clock estimate that steps back never reopens a closed window."""
    index = now_ms // window.length_ms
    if index > window.index:
        window.used = window.carried if index == window.index + 1 else 0
        window.carried = 0
        window.index = index


def _spend(window: Window, amount: int, now_ms: int) -> None:
    _roll(window, now_ms)
    window.used += amount
    if window.length_ms - now_ms % window.length_ms <= EDGE_MS:
        window.carried += amount
