"""The running engine's tie-out: told with evidence when a UTC day is over, and as soon as a row is known to be wrong.

Part of `observe`, after complete income was read. It compares and tells; what is done about a difference is for
`remedy` and the operator.
"""

from decimal import Decimal

from gridops.decide import tieout_rows
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.vocabulary import MismatchKind, Severity
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState

SHOWN = 12
"""Causes named in the bundle's facts; `gridops roundtrip report` names all of them."""


def run(state: EngineState, covered_ms: int, out: Out) -> None:
    """Complete income was asked for at that venue time: tell what must be told."""
    tie = state.ledger.tie
    tie.covered_ms = covered_ms
    causes = tieout_rows.wrong(tie, covered_ms)
    new, rolled = any(not row.told for row in causes), tieout_rows.day_over(tie, covered_ms)
    if not new and not rolled:
        return
    matched = tie.matched
    tieout_rows.told(tie, causes, covered_ms)
    left = residuals(state)
    bad = bool(causes) or any(left.values())
    shown = ", ".join(f"{asset} {amount:+f}" for asset, amount in sorted(left.items()) if amount) or "0"
    reason = "residual" if bad else "ties_out"
    title = f"tie-out ({'the day is over' if rolled else 'a row differs'}): residual {shown}, {matched} rows agree"
    facts = {f"cause_{at:02}": line for at, line in enumerate(list(tieout_rows.lines(causes))[:SHOWN])}
    status = EvidenceStatus.FINDING if bad else EvidenceStatus.OK
    out.bundle(EvidenceMode.TIEOUT, status, reason, title, residual=shown, rows=str(matched), **facts)
    out.note("tieout", Severity.WARN if bad else Severity.INFO, f"{reason} {shown}: {len(causes)} causes"[:200])


def residuals(state: EngineState) -> dict[str, Decimal]:
    """Per asset: what wrong rows amount to, or what the wallet is off by once confirmed, whichever is larger."""
    found = dict.fromkeys(state.ledger.wallet, Decimal(0))
    found.update(tieout_rows.residuals(state.ledger.tie))
    for known in state.sync.suspicions.values():
        if known.kind is MismatchKind.BALANCE_RESIDUAL and known.confirmed:
            asset, apart = known.key.rsplit("|", 1)[-1], Decimal(known.venue) - Decimal(known.local)
            found[asset] = max(found.get(asset, Decimal(0)), apart, key=abs)
    return found
