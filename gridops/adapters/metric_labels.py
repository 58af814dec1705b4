"""The values every metric label may take, from the enums that own them; and the combinations that can occur.

Between the catalogue, which names vocabularies, and `metrics`, which refuses everything outside. It invents no word
that the engine could not say.
"""

from gridops.adapters.metrics import Labels, Metrics
from gridops.decide.fsm_table import ROWS, Row
from gridops.decide.levels import CONDITIONS, REASONS_OF
from gridops.decide.sync_table import LABELS
from gridops.domain.catalogue import CATALOGUE
from gridops.domain.vocabulary import (
    Decision,
    FsmEvent,
    FsmReason,
    FsmState,
    Gate,
    Intent,
    MismatchKind,
    OpKind,
    OutboxReason,
    RouterReason,
    Severity,
    Stream,
    VenueCode,
)

OTHER = "other"
REMEDIES = tuple(LABELS.values())
REMEDIATION_OUTCOMES = ("applied", "refused", "failed")
_WAY_UP = {FsmEvent.PAUSE_OVER: FsmEvent.PAUSE, FsmEvent.THROTTLE_OVER: FsmEvent.THROTTLE}


def label_values(version: str) -> dict[str, tuple[str, ...]]:
    """Values by vocabulary name, `symbol` and `asset` excepted: those come from the whitelist."""
    return {
        "fsm_state": tuple(FsmState),
        "fsm_reason": tuple(FsmReason),
        "condition": tuple(reason.value for reason in CONDITIONS),
        "gate": tuple(Gate),
        "intent": tuple(Intent),
        "decision": tuple(Decision),
        "router_reason": tuple(RouterReason),
        "op": tuple(OpKind),
        "outbox_reason": (*Gate, *OutboxReason, OTHER),
        "mismatch_kind": tuple(MismatchKind),
        "severity": tuple(Severity),
        "remedy": REMEDIES,
        "remediation_outcome": REMEDIATION_OUTCOMES,
        "stream": tuple(Stream),
        "venue_error": tuple(code.value for code in VenueCode if code is not VenueCode.OK),
        "version": (version,),
    }


def combinations() -> dict[str, list[Labels]]:
    """The label tuples of metrics whose full product could mostly not occur."""
    edges = {(row.state, row.to_state, reason) for row in ROWS if row.moves for reason in _reasons(row)}
    return {"fsm_transitions_total": sorted((a.value, b.value, reason.value) for a, b, reason in edges)}


def _reasons(row: Row) -> set[FsmReason]:
    """A move carries its row's reason, that of a level asserting its event, or that of the cause that cleared."""
    cleared = REASONS_OF[_WAY_UP[row.event]] if row.event in _WAY_UP else ()
    return {row.reason, *REASONS_OF[row.event], *(CONDITIONS[reason].restore for reason in cleared)}


def open_metrics(*, symbols: tuple[str, ...], assets: tuple[str, ...], version: str) -> Metrics:
    """The whole catalogue for these symbols and assets, all series at zero, with `build_info` set."""
    metrics = Metrics(CATALOGUE, label_values(version), symbols=symbols, assets=assets, combinations=combinations())
    metrics.set("build_info", (version,), 1)
    return metrics
