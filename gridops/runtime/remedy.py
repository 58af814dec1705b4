"""An operator's look at both sides, and the remedies of what differs: asked for by digest, or by the configuration.

Part of the step, after everything else was decided. It answers once fresh reads are in, never from memory alone; what
it writes passes the gates like every other request. A plan is carried out whole, or refused naming the first gate.
"""

from decimal import Decimal

from gridops.decide import budget, drawdown, gates, sync
from gridops.decide.remedies import Finding, Item, RemedyPlan, World, plan
from gridops.decide.remedies import Side as SideView
from gridops.decide.sync_table import LABELS, ROWS, WRITES, Remedy
from gridops.domain.effects import Answer
from gridops.domain.events import OperatorInput
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.orders import Order
from gridops.domain.plan import Op, Request
from gridops.domain.records import Remedied
from gridops.domain.vocabulary import (
    Intent,
    MismatchKind,
    OpKind,
    OrderType,
    QueryKind,
    Side,
    TimeInForce,
)
from gridops.runtime import commit, facts, gate_views, remedy_text, suspicions, unattributed
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

ANSWER_WITHIN_MS = 9_000
"""A look whose reads are not all in by then is answered with what is known, and says what is not."""
AGAIN_MS = 300
_POSITION = (MismatchKind.POSITION_QTY, MismatchKind.POSITION_SIDE)


def ask(state: EngineState, wish: OperatorInput) -> None:
    """Take the request in: every read of a full reconcile, the ledger's rows and the rules are wanted now."""
    state.sync.requests.append(
        sync.Asking(
            request_id=wish.request_id,
            author=wish.author,
            reason=wish.reason,
            digest=wish.digest,
            since_ms=state.now_ms,
        )
    )
    for kind, name in _reads(state):
        sync.want(state.sync, kind, name, state.now_ms)


def run(state: EngineState, out: Out) -> None:
    """Carry out what the configuration lets the engine do by itself, then answer the looks whose reads are in."""
    if state.sync.suspicions:
        _automatic(state, out)
    if not state.sync.requests:
        return
    for asking in list(state.sync.requests):
        missing = _missing(state, asking)
        if not missing or state.now_ms >= asking.since_ms + ANSWER_WITHIN_MS:
            state.sync.requests.remove(asking)
            _answer(state, asking, missing, out)
        else:
            _read_on(state, asking)


def deadline_ms(state: EngineState) -> int | None:
    """When the oldest look must be answered whatever is missing, on the boot clock."""
    requests = state.sync.requests
    return min([asking.since_ms + ANSWER_WITHIN_MS for asking in requests]) if requests else None


def propose(state: EngineState) -> RemedyPlan:
    """The plan by what both sides show now."""
    found = world(state)
    return plan(found, lambda remedy, finding: _chain_refuses(state, remedy, finding))


def world(state: EngineState) -> World:
    return World(
        sides=tuple(_side(state, state.symbols[name]) for name in sorted(state.symbols)),
        findings=tuple(_finding(state, each) for _, each in sorted(state.sync.suspicions.items())),
        refusals=tuple(switches(state)),
        auto=frozenset(state.rules.sync.auto),
    )


def switches(state: EngineState) -> list[tuple[str, str]]:
    """Which of the five switches refuse remedies, and why."""
    room = budget.room(state.budget, state.rules.budget, state.venue_ms)
    health = state.health
    found = []
    if state.wishes.killed:
        found.append(("kill", "the kill switch is latched"))
    if drawdown.active(state.drawdown) or state.drawdown.latched:
        found.append(("drawdown", "a drawdown is suspected or confirmed"))
    elif _shows_drawdown(state):
        found.append(("drawdown", "the newest read of the wallet is below the limit"))
    if not health.lease_held or health.foreign_writer:
        found.append(("lease", "the lease is not held" if not health.lease_held else "another instance writes"))
    if not state.identity.armed:
        found.append(("arm", "not armed"))
    if room.banned or room.orders_reserve <= 0 or room.weight_reserve <= 0:
        found.append(("budget", "the venue bans this address" if room.banned else "the budget is used up"))
    return found


def _shows_drawdown(state: EngineState) -> bool:
    """A look may end before three samples were taken: the venue's own figures alone are enough to refuse."""
    asset = next(iter(state.symbols.values())).instrument.settle_asset if state.symbols else ""
    wallet = state.ledger.venue_wallet.get(asset)
    if wallet is None:
        return False
    total = wallet + sum((symbol.venue_unrealised for symbol in state.symbols.values()), Decimal(0))
    return drawdown.shown_by(state.drawdown, int(total * 1_000_000), state.rules.risk)


def _reads(state: EngineState) -> list[tuple[QueryKind, str]]:
    return [*sync.symbol_reads(state.symbols), (QueryKind.INCOME, ""), (QueryKind.RULES, "")]


def _missing(state: EngineState, asking: sync.Asking) -> list[str]:
    """Reads that have not begun and ended since the request, and differences that one read alone has shown."""
    slots = [sync.slot(kind, name) for kind, name in _reads(state)]
    late = [slot for slot in slots if state.sync.last_ok.get(slot, 0) < asking.since_ms]
    waiting = [f"second read of {each.key}" for each in state.sync.suspicions.values() if not each.confirmed]
    return late + sorted(waiting) + [f"trades or income behind {key}" for key in _unexplained(state)]


def _unexplained(state: EngineState) -> list[str]:
    return sorted(
        each.key
        for each in state.sync.suspicions.values()
        if ROWS[each.kind].remedy is Remedy.UNATTRIBUTED and not explained(state, each)
    )


def _read_on(state: EngineState, asking: sync.Asking) -> None:
    """Ask again for what failed, and for the second look at what one read has shown."""
    for kind, name in _reads(state):
        slot = sync.slot(kind, name)
        if state.sync.last_ok.get(slot, 0) < asking.since_ms and slot not in state.sync.wanted:
            under_way = any(a.kind is kind and a.symbol == name for a in state.sync.asked.values())
            if not under_way:
                sync.want(state.sync, kind, name, state.now_ms, after_ms=AGAIN_MS)
    for each in state.sync.suspicions.values():
        if not each.confirmed:
            _read_of(state, each.kind, each.symbol)
        elif ROWS[each.kind].remedy is Remedy.UNATTRIBUTED and not explained(state, each):
            kind = QueryKind.TRADES if each.kind in _POSITION else QueryKind.INCOME
            sync.want(state.sync, kind, each.symbol, each.since_ms + state.rules.sync.settle_ms + 1)


def _read_of(state: EngineState, kind: MismatchKind, symbol: str) -> None:
    orders = kind.value.startswith("order_")
    read = QueryKind.OPEN_ORDERS if orders else QueryKind.POSITIONS
    if kind in (MismatchKind.FILTERS_CHANGED, MismatchKind.LEVERAGE_CHANGED):
        read, symbol = QueryKind.RULES, ""
    sync.want(state.sync, read, symbol if orders else "", state.now_ms, after_ms=AGAIN_MS)


def explained(state: EngineState, found: sync.Suspicion) -> bool:
    """Did a clean read of trades (of income for a wallet) begin after the settle time of the first sight?

    What it listed is booked by now: whatever difference still stands has no row behind it.
    """
    kind = QueryKind.TRADES if found.kind in _POSITION else QueryKind.INCOME
    since_ms = found.since_ms + state.rules.sync.settle_ms
    return found.confirmed and state.sync.last_ok.get(sync.slot(kind, found.symbol), 0) > since_ms


def _finding(state: EngineState, found: sync.Suspicion) -> Finding:
    return Finding(
        kind=found.kind,
        severity=found.severity,
        symbol=found.symbol,
        key=found.key.rsplit("|", 1)[-1],
        local=found.local,
        venue=found.venue,
        reads=found.reads,
        confirmed=found.confirmed,
        explained=explained(state, found),
    )


def _side(state: EngineState, symbol: SymbolState) -> SideView:
    instrument, risk = symbol.instrument, state.rules.risk
    return SideView(
        symbol=symbol.symbol,
        local_lots=symbol.position_lots,
        venue_lots=symbol.venue_lots,
        venue_read_ms=symbol.venue_lots_ms,
        local_orders=tuple(sorted(_shown(order) for order in symbol.orders.values())),
        venue_orders=tuple(f"{name} {held}" for name, held in sorted(symbol.listed.items())),
        wce_units=facts.wce_units(symbol),
        cap_units=instrument.units(risk.symbol_cap),
        mark_ticks=unattributed.mark_ticks(symbol),
        max_order_units=instrument.units(risk.max_order_notional),
    )


def _shown(order: Order) -> str:
    size = f"{order.side} {order.lots}@{order.price_ticks} filled {order.filled_lots}"
    return f"{order.client_id} {order.state} {size}"


def _automatic(state: EngineState, out: Out) -> None:
    """Remedies of confirmed differences that the configuration marks safe, while no switch refuses.

    Imports and probes are reads, asked for where the difference was found; cancels of orphans are the router's.
    """
    wanted = frozenset(state.rules.sync.auto) & {Remedy.ADOPT, Remedy.UNATTRIBUTED}
    confirmed = (each for each in state.sync.suspicions.values() if each.confirmed)
    if not wanted or not any(ROWS[each.kind].remedy in wanted for each in confirmed) or switches(state):
        return
    for item in propose(state).ready:
        if item.remedy in wanted:
            _carry_out(state, item, "configuration", out)


def _answer(state: EngineState, asking: sync.Asking, missing: list[str], out: Out) -> None:
    proposed = propose(state)
    refused, done = "", []
    if asking.digest:
        refused = _apply_refusal(proposed, asking.digest, missing)
        if not refused:
            done = [_carry_out(state, item, asking.author, out) for item in proposed.ready]
        else:
            _say_refused(state, proposed, refused, out)
    findings = [item for item in proposed.items if item.remedy is not Remedy.LEAVE]
    status = EvidenceStatus.FAILED if refused else EvidenceStatus.FINDING if findings else EvidenceStatus.OK
    document = remedy_text.document(state, proposed, missing, refused=refused, done=done, applied=bool(asking.digest))
    reason = "applied" if asking.digest else "mismatch" if findings else "in_step"
    bundle = out.bundle(
        EvidenceMode.REMEDIATION if asking.digest else EvidenceMode.SYNC,
        status,
        "refused" if refused else reason,
        f"sync by {asking.author}: {len(findings)} differences" + (f"; refused: {refused}" if refused else ""),
        author=asking.author,
        said=asking.reason,
        plan=document,
    )
    out.do(
        Answer(
            request_id=asking.request_id,
            accepted=not refused,
            state=state.fsm.state.value,
            detail=refused or f"{len(findings)} differences, plan {proposed.digest}",
            bundle=bundle,
            document=document,
        )
    )


def _apply_refusal(proposed: RemedyPlan, digest: str, missing: list[str]) -> str:
    """Why this plan may not be carried out; empty when it may."""
    if proposed.refused_by:
        return proposed.refused_by
    if missing:
        return f"reads: both sides could not be read anew: {', '.join(missing[:4])}"
    if proposed.digest != digest:
        return f"digest: the world moved since the plan, which would now be {proposed.digest}"
    return "" if proposed.ready else "empty: nothing in this plan can be carried out"


def _say_refused(state: EngineState, proposed: RemedyPlan, refused: str, out: Out) -> None:
    for item in proposed.ready:
        _say(state, item, "refused", refused, out)


def _carry_out(state: EngineState, item: Item, author: str, out: Out) -> str:
    """One remedy; what was done, in words."""
    symbol = state.symbols.get(item.symbol)
    match item.remedy:
        case Remedy.IMPORT:
            kind = QueryKind.TRADES if item.kind in _POSITION else QueryKind.INCOME
            sync.want(state.sync, kind, item.symbol, state.now_ms)
            sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms, after_ms=AGAIN_MS)
            did = "asked for the trades and income rows again"
        case Remedy.PROBE:
            state.sync.order_ask.pop(item.key, None)
            did = f"asked for order {item.key}"
        case Remedy.UNATTRIBUTED if symbol is not None:
            did = unattributed.position(state, symbol, item.lots, author, out)
        case Remedy.UNATTRIBUTED:
            did = unattributed.balance(state, item.key, Decimal(item.venue) - Decimal(item.local), author, out)
        case Remedy.ADOPT if symbol is not None:
            did = _adopt(state, symbol, item)
        case Remedy.CANCEL | Remedy.REDUCE if symbol is not None:
            did = _write(state, symbol, item, out)
        case _:
            did = "nothing"
    if item.remedy in (Remedy.UNATTRIBUTED, Remedy.ADOPT):
        suspicions.clear(state, item.symbol, {item.kind}, _others(state, item), out)
    _say(state, item, "applied", did, out)
    return f"{item.remedy} {item.symbol} {item.key}: {did}"


def _others(state: EngineState, item: Item) -> set[str]:
    name = f"{item.kind}|{item.symbol}|{item.key}"
    return {known for known in state.sync.suspicions if known != name}


def _say(state: EngineState, item: Item, outcome: str, detail: str, out: Out) -> None:  # noqa: ARG001
    out.say(
        Remedied(
            remedy=LABELS[item.remedy],
            outcome=outcome,
            kind=item.kind,
            symbol=item.symbol,
            key=item.key,
            detail=detail,
        )
    )


def _adopt(state: EngineState, symbol: SymbolState, item: Item) -> str:
    """Take the venue's price and size of an order over; rules were taken over by the read that showed them."""
    order = symbol.orders.get(item.key)
    if order is not None and item.kind is MismatchKind.ORDER_FIELD_DIVERGED:
        price, _, lots = item.venue.partition("x")
        order.price_ticks, order.lots = int(price), int(lots)
        order.updated_ms = state.venue_ms
    symbol.dirty = True
    return f"adopted {item.venue}"


def _write(state: EngineState, symbol: SymbolState, item: Item, out: Out) -> str:
    op = _op(symbol, item.remedy, item.key, item.lots)
    if op is None:
        return "nothing: the order is gone or a write is under way"
    commit.operations(state, symbol, [op], out)
    return f"sent {op.kind} {op.client_id} {op.lots or ''}".rstrip()


def _op(symbol: SymbolState, remedy: Remedy, key: str, lots: int) -> Op | None:
    order = symbol.orders.get(key) if remedy is Remedy.CANCEL else None
    if remedy is Remedy.CANCEL and (order is None or order.pending is not None):
        return None
    side = order.side if order is not None else Side.BUY if lots > 0 else Side.SELL
    return Op(
        index=0,
        kind=OpKind.PLACE if order is None else OpKind.CANCEL,
        intent=Intent.REDUCE if order is None else Intent.CANCEL,
        symbol=symbol.symbol,
        level=0 if order is None else order.level,
        side=side,
        price_ticks=0 if order is None else order.price_ticks,
        lots=min(abs(lots), symbol.instrument.market_max_lots) if order is None else 0,
        reduce_only=order is None or order.reduce_only,
        order_type=OrderType.MARKET if order is None else order.order_type,
        tif=TimeInForce.IOC if order is None else order.tif,
        client_id="" if order is None else order.client_id,
    )


def _chain_refuses(state: EngineState, remedy: Remedy, finding: Finding) -> str:
    """What the ordinary gate chain says to the write of this remedy."""
    symbol = state.symbols.get(finding.symbol)
    if remedy not in WRITES or symbol is None:
        return ""
    over = symbol.venue_lots
    op = _op(symbol, remedy, finding.key, -1 if over > 0 else 1)
    if op is None:
        return ""
    order = symbol.orders.get(op.client_id)
    request = Request(
        kind=op.kind,
        intent=op.intent,
        symbol=op.symbol,
        side=op.side,
        price_ticks=op.price_ticks,
        lots=op.lots,
        reduce_only=op.reduce_only,
        order_type=op.order_type,
        tif=op.tif,
        client_id=op.client_id,
        level=op.level,
        own_epoch=order.epoch if order is not None else 0,
    )
    verdict = gates.first_refusal(request, gate_views.build(state, symbol))
    return "" if verdict is None else f"{verdict.gate} {verdict.detail}"
