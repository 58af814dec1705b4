"""Suspected differences between our books and the venue: remembered, confirmed by a second read, and closed again.

Part of `observe`. A confirmed one is said once, with evidence.
"""

from gridops.decide import sync
from gridops.domain.events import QueryReply
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.orders import VenueOrder
from gridops.domain.records import MismatchSeen
from gridops.domain.vocabulary import MismatchKind, QueryKind, Severity
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState

READ_KINDS = {MismatchKind.DUPLICATE_KEY, MismatchKind.TIME_REGRESSION, MismatchKind.MALFORMED}
"""What a read is discarded for; the next good read of the same kind ends it."""


def raise_one(
    state: EngineState,
    kind: MismatchKind,
    severity: Severity,
    symbol: str,
    key: str,
    local: str,
    venue: str,
    out: Out,
) -> str:
    """Remember a difference; when this read confirms it, say so with evidence. Returns its key."""
    name = f"{kind}|{symbol}|{key}"
    found = sync.Suspicion(kind, severity, symbol, name, local, venue, state.now_ms)
    if sync.suspect(state.sync, found, state.rules.sync.confirm_reads):
        bundle = _bundle(out, kind, severity, symbol, key, local, venue)
        _say_mismatch(state.sync.suspicions[name], out, bundle, closed=False)
        for entry in state.symbols.values():
            entry.dirty = True
    return name


def clear(state: EngineState, symbol: str, kinds: set[MismatchKind], found: set[str], out: Out) -> None:
    """Differences of these kinds that the newest read no longer shows are over."""
    for name in sorted(state.sync.suspicions):
        known = state.sync.suspicions[name]
        if known.symbol == symbol and known.kind in kinds and name not in found:
            del state.sync.suspicions[name]
            if known.confirmed:
                _say_mismatch(known, out, "", closed=True)
                for entry in state.symbols.values():
                    entry.dirty = True


def settled(
    state: EngineState,
    kind: MismatchKind,
    severity: Severity,
    symbol: str,
    key: str,
    local: str,
    venue: str,
    out: Out,
) -> str:
    """A difference that the read which proves it also ended: said with evidence, and closed in the same step."""
    name = f"{kind}|{symbol}|{key}"
    bundle = _bundle(out, kind, severity, symbol, key, local, venue)
    found = sync.Suspicion(kind, severity, symbol, name, local, venue, state.now_ms, reads=2, confirmed=True)
    _say_mismatch(found, out, bundle, closed=False)
    _say_mismatch(found, out, "", closed=True)
    return name


def raise_read(state: EngineState, kind: MismatchKind, reply: QueryReply, why: str, out: Out) -> None:
    """A read that was discarded. It is its own proof, but one slip is only counted: two in a row are a finding."""
    name = f"{kind}|{reply.symbol}|{reply.kind}"
    known = state.sync.suspicions.get(name)
    if known is not None:
        known.venue = why
    raise_one(state, kind, Severity.WARN, reply.symbol, reply.kind.value, "discarded", why, out)


def of_other_reads(state: EngineState, reply: QueryReply) -> set[str]:
    """Open findings about discarded reads that this good one does not end."""
    return {name for name in state.sync.suspicions if not name.endswith(f"|{reply.symbol}|{reply.kind}")}


def odd_read(state: EngineState, reply: QueryReply) -> tuple[MismatchKind, str] | None:
    """Why nothing of this read may be believed; None when it may.

    One id twice, or a position older than the one we have seen: a replica that lags. A symbol that is not listed is
    flat, and has no time.
    """
    keys = _keys(reply)
    if len(keys) != len(set(keys)):
        twice = next(key for key in keys if keys.count(key) > 1)
        return MismatchKind.DUPLICATE_KEY, f"{twice} stands twice"
    if reply.kind is QueryKind.POSITIONS:
        for each in reply.positions:
            symbol = state.symbols.get(each.symbol)
            netted = symbol is not None and each.position_side == "BOTH"
            if netted and symbol is not None and 0 < each.updated_ms < symbol.venue_updated_ms:
                fell = symbol.venue_updated_ms - each.updated_ms
                return MismatchKind.TIME_REGRESSION, f"{each.symbol} is {fell} ms older than read before"
        for each in reply.positions:
            symbol = state.symbols.get(each.symbol)
            if symbol is not None and each.position_side == "BOTH":
                symbol.venue_updated_ms = max(symbol.venue_updated_ms, each.updated_ms)
    return None


def _keys(reply: QueryReply) -> list[str]:
    """What must be there once at the most. Positions of both hedge sides share a symbol."""
    match reply.kind:
        case QueryKind.TRADES:
            return [str(trade.trade_id) for trade in reply.trades]
        case QueryKind.OPEN_ORDERS:
            return [order.venue_id for order in reply.orders]
        case QueryKind.POSITIONS:
            return [f"{each.symbol} {each.position_side}" for each in reply.positions]
        case _:
            return []


def shown(seen: VenueOrder) -> str:
    """An order of the venue's list in one comparable line."""
    return f"{seen.status} {seen.side} {seen.lots}@{seen.price_ticks} filled {seen.filled_lots}"


def _bundle(out: Out, kind: MismatchKind, severity: Severity, symbol: str, key: str, local: str, venue: str) -> str:
    return out.bundle(
        EvidenceMode.MISMATCH,
        EvidenceStatus.FINDING,
        kind.value,
        f"{symbol}: {kind} confirmed: local {local}, venue {venue}",
        kind=kind.value,
        severity=severity.value,
        symbol=symbol,
        key=key,
        local=local,
        venue=venue,
    )


def _say_mismatch(found: sync.Suspicion, out: Out, bundle: str, *, closed: bool) -> None:
    out.say(
        MismatchSeen(
            kind=found.kind,
            severity=found.severity,
            symbol=found.symbol,
            key=found.key,
            local=found.local,
            venue=found.venue,
            confirmed=found.confirmed,
            closed=closed,
            bundle=bundle,
        )
    )
