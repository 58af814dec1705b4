"""Suspected differences between our books and the venue: remembered, confirmed by a second read, and closed again.

Part of `observe`. A confirmed one is said once, with evidence.
"""

from gridops.decide import sync
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.records import MismatchSeen
from gridops.domain.vocabulary import MismatchKind, Severity
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState


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
        bundle = out.bundle(
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
