"""Records as metric increments, and the state as gauges: the one way the engine's figures reach `/metrics`.

A sink of the engine. Each record is counted here once; what has no record (ages, levels, sizes) is read from the state
a few times a second by `state_metrics`. It adds up what the engine decided and decides nothing.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from gridops.adapters.metric_labels import OTHER
from gridops.adapters.metrics import Metrics
from gridops.adapters.state_metrics import StateGauges
from gridops.domain.events import Header
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.records import (
    Booked,
    ConditionEdge,
    Decided,
    Filled,
    GateRefused,
    MismatchSeen,
    Note,
    OutboxRefused,
    Record,
    Remedied,
    Sent,
    ShadowEdge,
    SyncDone,
    Transition,
    TripClosed,
    Wrote,
)
from gridops.domain.vocabulary import Gate, OpKind, OutboxReason, Stream, VenueCode, WriteOutcome
from gridops.runtime.ports_journal import Journal
from gridops.runtime.state import EngineState

_OUTBOX_REASONS = frozenset((*(gate.value for gate in Gate), *(reason.value for reason in OutboxReason)))
_CODES = frozenset(code.value for code in VenueCode if code is not VenueCode.OK)
_STREAMS = frozenset(stream.value for stream in Stream)


class MetricsSink:
    """Counts records and shows the state.

    `quote_asset` is the settlement asset: fees and funding in another are not counted as if they were it. `now_ms` is
    the boot clock; without it ages are as of the engine's newest input. `disk_free` gives bytes, `held` blocks and
    bytes of memory in use.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        quote_asset: str,
        now_ms: Callable[[], int] | None = None,
        journal: Journal | None = None,
        disk_free: Callable[[], int] | None = None,
        held: Callable[[], tuple[float, float]] | None = None,
    ) -> None:
        self.metrics = metrics
        self._quote = quote_asset
        self._gauges = StateGauges(metrics, now_ms=now_ms, journal=journal, disk_free=disk_free, held=held)
        self._up_before: set[str] = set()
        self._by_type: dict[type[object], Callable[..., None]] = {
            Transition: self._transition,
            ConditionEdge: self._condition,
            ShadowEdge: self._shadow,
            Decided: self._decided,
            Sent: self._sent,
            Wrote: self._wrote,
            Filled: self._filled,
            TripClosed: self._trip,
            MismatchSeen: self._mismatch,
            GateRefused: self._gate,
            OutboxRefused: self._outbox,
            Booked: self._booked,
            Remedied: self._remedied,
            SyncDone: self._synced,
            Note: self._note,
        }

    def take(self, header: Header, records: Sequence[Record]) -> None:  # noqa: ARG002 - metrics know no numbers
        for record in records:
            count = self._by_type.get(type(record))
            if count is not None:
                count(record)
        self._denials(records)

    def gauge(self, state: EngineState) -> None:
        self._gauges.show(state)

    def observe_step(self, seconds: float) -> None:
        """Time one engine step took."""
        self.metrics.observe("step_seconds", v=seconds)

    def observe_commit(self, seconds: float) -> None:
        """Time one durable commit took."""
        self.metrics.observe("journal_commit_seconds", v=seconds)

    def observe_lag(self, seconds: float) -> None:
        """How late the event loop ran just now."""
        self._gauges.loop_lag(seconds)

    def evidence_written(self, mode: EvidenceMode, status: EvidenceStatus) -> None:
        """A bundle is on the disk. Any thread may call."""
        self.metrics.inc("evidence_bundles_total", (mode.value, status.value))

    def notified(self, outcome: str) -> None:
        """A message was sent, or not. Any thread may call."""
        self.metrics.inc("notifications_total", (outcome,))

    def evidence_failed(self) -> None:
        """A bundle was lost. Any thread may call."""
        self.metrics.inc("evidence_failures_total")

    def _transition(self, record: Transition) -> None:
        self.metrics.inc("fsm_transitions_total", (record.from_state, record.to_state, record.reason))
        self.metrics.one_hot("fsm_current_state", record.to_state)

    def _condition(self, record: ConditionEdge) -> None:
        self._gauges.condition(record.reason, record.scope, is_open=record.open)

    def _shadow(self, record: ShadowEdge) -> None:
        if record.open:
            self.metrics.inc("fsm_shadow_total", (record.reason,))

    def _decided(self, record: Decided) -> None:
        self.metrics.inc("router_decision_total", (record.choice.decision, record.choice.reason))

    def _sent(self, record: Sent) -> None:
        self.metrics.inc("router_ops_total", (record.kind,))

    def _wrote(self, record: Wrote) -> None:
        if record.outcome is WriteOutcome.DENIED:
            return
        self.metrics.observe("order_latency_seconds", (record.kind,), Decimal(record.latency_ms) / 1000)
        if record.code is not VenueCode.OK:
            self.metrics.inc("venue_errors_total", (record.code,))
        elif record.kind is OpKind.AMEND and record.outcome is WriteOutcome.CONFIRMED:
            # One call instead of a cancel and a place.
            self.metrics.inc("router_amend_savings_total")

    def _filled(self, record: Filled) -> None:
        fill = record.fill
        self.metrics.inc("fills_total", (fill.side, "maker" if fill.maker else "taker"))
        if fill.fee > 0 and fill.fee_asset == self._quote:
            self.metrics.inc("fees_quote_total", n=fill.fee)

    def _trip(self, record: TripClosed) -> None:
        outcome = "win" if record.net > 0 else "loss" if record.net < 0 else "flat"
        self.metrics.inc("roundtrips_total", (outcome,))
        self.metrics.observe("roundtrip_net_bps", v=record.net_bps)

    def _mismatch(self, record: MismatchSeen) -> None:
        if record.confirmed and not record.closed:
            self.metrics.inc("sync_mismatch_total", (record.kind, record.severity))

    def _remedied(self, record: Remedied) -> None:
        self.metrics.inc("remediation_total", (record.remedy, record.outcome))

    def _gate(self, record: GateRefused) -> None:
        self.metrics.inc("gate_refusals_total", (record.gate, record.intent))

    def _outbox(self, record: OutboxRefused) -> None:
        # The refusal begins with its gate; the figures behind it are for the log.
        word = record.reason.split(maxsplit=1)[0] if record.reason.strip() else OTHER
        self.metrics.inc("outbox_refused_total", (word if word in _OUTBOX_REASONS else OTHER,))

    def _denials(self, records: Sequence[Record]) -> None:
        """A denied write whose refusal has no record of its own in the step still counts."""
        denied = [r.op_id for r in records if type(r) is Wrote and r.outcome is WriteOutcome.DENIED]
        if denied:
            said = {r.op_id for r in records if type(r) is OutboxRefused}
            for _ in (op_id for op_id in denied if op_id not in said):
                self.metrics.inc("outbox_refused_total", (OTHER,))

    def _booked(self, record: Booked) -> None:
        if record.kind != "funding_fee" or record.asset != self._quote:
            return
        name = "funding_received_quote_total" if record.amount > 0 else "funding_paid_quote_total"
        self.metrics.inc(name, n=abs(record.amount))

    def _synced(self, record: SyncDone) -> None:
        if not record.ok:
            code = record.detail.split(maxsplit=1)[0] if record.detail.strip() else ""
            self.metrics.inc("venue_errors_total", (code if code in _CODES else VenueCode.OTHER.value,))

    def _note(self, record: Note) -> None:
        words = record.detail.split()
        if record.topic == "stream" and "up=True" in words and words[0] in _STREAMS:
            # The first time is a connection, every later one a reconnection.
            if words[0] in self._up_before:
                self.metrics.inc("stream_reconnects_total", (words[0],))
            self._up_before.add(words[0])
        elif record.topic == "deadman_beat":
            outcome = "unknown" if WriteOutcome.UNKNOWN.value in words else "failed"
            self.metrics.inc("deadman_beats_total", (outcome,))
