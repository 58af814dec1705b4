"""Truth, read side: when to ask the venue what, and what a read proves against our own books.

Verdicts only; nothing here writes. A read is compared with the interval of states that were reachable while it was
under way, and a mismatch counts after two consistent reads.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from gridops.decide.words import SENT, UNKNOWN
from gridops.domain.ids import owner
from gridops.domain.orders import Order, VenueOrder
from gridops.domain.rules import SyncRules
from gridops.domain.values import record
from gridops.domain.vocabulary import MismatchKind, OrderState, QueryKind, Severity

_POSITIONS, _OPEN_ORDERS, _TRADES = QueryKind.POSITIONS, QueryKind.OPEN_ORDERS, QueryKind.TRADES
_INCOME, _TIME, _RULES, _ORDER = QueryKind.INCOME, QueryKind.TIME, QueryKind.RULES, QueryKind.ORDER
"""Looked up once: the cycle is gone through at nearly every step."""
_NONE: frozenset[str] = frozenset()
WISH_MS = 250
"""A read that is wished for outside its cadence keeps this distance from the one before."""


@dataclass(slots=True)
class Asked:
    """A query under way. Position bounds widen with each fill booked meanwhile."""

    kind: QueryKind
    symbol: str
    client_id: str
    asked_ms: int
    boot_ms: int
    from_id: int = 0
    low_lots: int = 0
    high_lots: int = 0


@dataclass(slots=True)
class Suspicion:
    """A difference seen in at least one read; `reads` counts consistent ones in a row."""

    kind: MismatchKind
    severity: Severity
    symbol: str
    key: str
    local: str
    venue: str
    since_ms: int
    reads: int = 1
    confirmed: bool = False
    stands: bool = False
    """Of a wallet: a read after complete income was listed still shows it."""


@dataclass(slots=True)
class Asking:
    """An operator's look at both sides, waiting for its reads. Times on the boot clock, ms."""

    request_id: str
    author: str
    reason: str
    digest: str
    since_ms: int


_TOLD_ENDS = (OrderState.CANCELED, OrderState.EXPIRED)
"""Ends that only the venue's own word makes; an absence that was proven is FAILED."""


@dataclass(slots=True)
class SyncState:
    """Cadence and confirmation memory. Times on the boot clock, ms; 0 = never."""

    asked: dict[int, Asked] = field(default_factory=dict)
    last_ask: dict[str, int] = field(default_factory=dict)
    """"kind|symbol" -> when it was asked last."""
    last_ok: dict[str, int] = field(default_factory=dict)
    """"kind|symbol" -> when the newest successful read was *asked*."""
    wanted: dict[str, int] = field(default_factory=dict)
    """"kind|symbol" -> not before; reads wanted at once, outside the cadence."""
    order_ask: dict[str, int] = field(default_factory=dict)
    """client id -> when its order was probed last."""
    suspicions: dict[str, Suspicion] = field(default_factory=dict)
    requests: list[Asking] = field(default_factory=list)
    reconcile_from_ms: int = 0
    """A full reconcile counts only if all its reads were asked after this."""
    reconciled_ms: int = 0
    """When the newest full reconcile began; 0 = never in this run."""
    reconciled_end_ms: int = 0
    failures: int = 0


@record
class Want:
    """One read to make now."""

    kind: QueryKind
    symbol: str
    client_id: str = ""


@cache
def slot(kind: QueryKind, symbol: str) -> str:
    return f"{kind}|{symbol}"


def symbol_reads(symbols: Iterable[str]) -> list[tuple[QueryKind, str]]:
    """The reads that together are one full reconcile."""
    reads = [(QueryKind.POSITIONS, "")]
    for symbol in symbols:
        reads += [(QueryKind.OPEN_ORDERS, symbol), (QueryKind.TRADES, symbol)]
    return reads


def cycle(symbols: Iterable[str]) -> list[tuple[QueryKind, str]]:
    """Every read that has a cadence."""
    return [*symbol_reads(symbols), (QueryKind.INCOME, ""), (QueryKind.TIME, ""), (QueryKind.RULES, "")]


@cache
def _slots(symbols: tuple[str, ...]) -> tuple[tuple[QueryKind, str, str], ...]:
    """The cycle with its keys: gone through at nearly every step, so made once."""
    return tuple((kind, symbol, slot(kind, symbol)) for kind, symbol in cycle(symbols))


@cache
def _cadences(held_ms: int, positions_ms: int, open_orders_ms: int, income_ms: int) -> dict[QueryKind, int]:
    """Milliseconds between two regular reads of each kind; of the position itself `held_ms`. Never changed."""
    return {
        _POSITIONS: held_ms,
        _OPEN_ORDERS: open_orders_ms,
        _TRADES: positions_ms,
        _INCOME: income_ms,
        _TIME: positions_ms,
        _RULES: 20 * positions_ms,
    }


def reads_due_ms(
    sync: SyncState, symbols: Iterable[str], rules: SyncRules, *, degraded_with_position: bool
) -> list[tuple[int, QueryKind, str]]:
    """(boot time at which it is due, kind, symbol) of every read of the cycle that is not under way; 0 = at once."""
    asked = sync.asked.values()
    under_way = {slot(a.kind, a.symbol) for a in asked if a.kind is not _ORDER} if asked else _NONE
    held_ms = rules.positions_degraded_ms if degraded_with_position else rules.positions_ms
    every_ms = _cadences(held_ms, rules.positions_ms, rules.open_orders_ms, rules.income_ms)
    last_ask, wanted = sync.last_ask, sync.wanted
    found = []
    for kind, symbol, key in _slots(tuple(symbols)):
        if key in under_way:
            continue
        last_ms = last_ask.get(key, 0)
        due_ms = 0
        if last_ms:
            due_ms = last_ms + every_ms[kind]
            wish_ms = wanted.get(key) if wanted else None
            if wish_ms is not None:
                due_ms = min(due_ms, max(wish_ms, last_ms + WISH_MS))
        found.append((due_ms, kind, symbol))
    return found


def due(
    sync: SyncState,
    *,
    now_ms: int,
    symbols: Iterable[str],
    rules: SyncRules,
    degraded_with_position: bool,
    probes: Iterable[tuple[str, str]],
) -> list[Want]:
    """Reads to make now, each at most once under way. `probes` are (symbol, client id) of orders in doubt."""
    reads = reads_due_ms(sync, symbols, rules, degraded_with_position=degraded_with_position)
    wants = [Want(kind=kind, symbol=symbol) for due_ms, kind, symbol in reads if now_ms >= due_ms]
    if not probes:
        return wants
    probing = {a.client_id for a in sync.asked.values() if a.kind is _ORDER}
    for symbol, client_id in probes:
        last = sync.order_ask.get(client_id, 0)
        if client_id not in probing and (not last or now_ms >= last + rules.inflight_ms):
            wants.append(Want(kind=_ORDER, symbol=symbol, client_id=client_id))
    return wants


def want(sync: SyncState, kind: QueryKind, symbol: str, now_ms: int, *, after_ms: int = 0) -> None:
    """Ask outside the cadence, `after_ms` from now at the earliest. Order probes have a cadence of their own."""
    if kind is QueryKind.ORDER:
        return
    key, at = slot(kind, symbol), now_ms + after_ms
    known = sync.wanted.get(key)
    sync.wanted[key] = at if known is None else min(known, at)


def asked_now(sync: SyncState, key: str, now_ms: int) -> None:
    """A wish ends when its question leaves: one made while the answer is under way asks for another read."""
    sync.last_ask[key] = now_ms
    if sync.wanted.get(key, now_ms + 1) <= now_ms:
        del sync.wanted[key]


def in_doubt(order: Order, now_venue_ms: int, rules: SyncRules) -> bool:
    """Has a write had no answer for longer than the in-flight loop allows, or is its outcome unknown?"""
    state, pending = order.state, order.pending
    if state is UNKNOWN or (pending is not None and pending.unknown):
        return True
    waiting = pending.sent_ms if pending is not None else 0
    if state is SENT:
        waiting = order.created_ms
    return bool(waiting) and now_venue_ms - waiting > rules.inflight_ms


@record
class OrdersVerdict:
    """What one open-orders read says about one symbol."""

    missing: tuple[str, ...]
    """Own client ids that should rest and are not listed: probe each, conclude nothing."""
    orphans: tuple[VenueOrder, ...]
    """Carry our tag, and we know of no live order by that id."""
    foreign: tuple[VenueOrder, ...]
    newer_epoch: bool
    diverged: tuple[tuple[str, str, str], ...]
    """(client id, ours, venue's)."""


def judge_orders(
    listed: Iterable[VenueOrder],
    orders: Mapping[str, Order],
    closed: Mapping[str, Order],
    *,
    tag: str,
    epoch: int,
    asked_ms: int,
    settle_ms: int = 0,
) -> OrdersVerdict:
    """Compare one open-orders list with our orders. Orders that moved after the read was asked are not judged.

    An order that has ended is believed to rest after all only when the read was asked `settle_ms` after its end: reads
    lag, and when it was asked is known no better than the venue's clock.
    """
    by_id = {order.client_id: order for order in listed}
    missing, orphans, foreign, diverged, newer = [], [], [], [], False
    for client_id, order in sorted(orders.items()):
        settled = order.pending is None and order.updated_ms < asked_ms and order.created_ms < asked_ms
        if client_id not in by_id:
            if settled and order.state in (OrderState.OPEN, OrderState.PARTIAL):
                missing.append(client_id)
        elif settled and order.state is not UNKNOWN:
            seen = by_id[client_id]
            ours = f"{order.price_ticks}x{order.lots}"
            theirs = f"{seen.price_ticks}x{seen.lots}"
            if ours != theirs and seen.updated_ms <= asked_ms:
                diverged.append((client_id, ours, theirs))
    for client_id, seen in sorted(by_id.items()):
        if client_id in orders:
            continue
        who = owner(client_id)
        if who is None or who.tag != tag:
            foreign.append(seen)
        elif who.epoch > epoch:
            newer = True
        elif client_id not in closed or _rests_after_all(closed[client_id], seen, asked_ms - settle_ms):
            orphans.append(seen)
    return OrdersVerdict(
        missing=tuple(missing),
        orphans=tuple(orphans),
        foreign=tuple(foreign),
        newer_epoch=newer,
        diverged=tuple(diverged),
    )


def _rests_after_all(ended: Order, seen: VenueOrder, before_ms: int) -> bool:
    """Listed though it had ended before. The list is old when it tells of a time before the end that the venue told,
    or of an order whose lots its own trades have filled: neither can rest again.
    """
    filled = ended.state is OrderState.FILLED and seen.lots <= ended.filled_lots
    gone = ended.state in _TOLD_ENDS and seen.updated_ms <= ended.updated_ms
    return ended.updated_ms < before_ms and not filled and not gone


def position_within(venue_lots: int, asked: Asked) -> bool:
    """Could our books have shown this figure at some moment of the read?"""
    return asked.low_lots <= venue_lots <= asked.high_lots


def position_severity(local_lots: int, venue_lots: int, rung_lots: int) -> tuple[MismatchKind, Severity]:
    """WARN below one rung, CRITICAL above; a wrong sign is always CRITICAL."""
    if local_lots * venue_lots < 0:
        return MismatchKind.POSITION_SIDE, Severity.CRITICAL
    apart = abs(local_lots - venue_lots)
    return MismatchKind.POSITION_QTY, Severity.WARN if apart < max(1, rung_lots) else Severity.CRITICAL


def suspect(sync: SyncState, found: Suspicion, confirm_reads: int) -> bool:
    """Remember a difference; True when this read confirms it for the first time."""
    known = sync.suspicions.get(found.key)
    if known is None or known.venue != found.venue or known.kind is not found.kind:
        sync.suspicions[found.key] = found
        known = found
    else:
        known.reads += 1
        known.local, known.severity = found.local, found.severity
    if not known.confirmed and known.reads >= confirm_reads:
        known.confirmed = True
        return True
    return False


def full_reconcile_ms(sync: SyncState, symbols: Iterable[str]) -> int:
    """When the newest complete set of reads began; 0 when any is missing."""
    starts = [sync.last_ok.get(slot(kind, symbol), 0) for kind, symbol in symbol_reads(symbols)]
    return min(starts)
