"""The closed catalogue of metrics: nothing outside it can be emitted, and the documents are checked against it.

Names, kinds, helps and labels as data, in the domain so that no library decides them. Values of an enum label are
named by a vocabulary, which the composition fills from the enum that owns it; `symbol` and `asset` are bounded by
the configured whitelist.
"""

from enum import StrEnum

from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.values import value

PREFIX = "gridops_"
MAX_SERIES = 4096
"""Label combinations one metric may have; more means a label that is not bounded."""


class MetricKind(StrEnum):
    """How a metric moves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@value
class Label:
    """A label and the vocabulary its values come from."""

    name: str
    vocabulary: str


@value
class Metric:
    """One metric, without the prefix. `buckets` are upper bounds as decimal text, histograms only."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[Label, ...]
    buckets: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """As it stands in `/metrics`."""
        return PREFIX + self.name


SYMBOL = Label("symbol", "symbol")
ASSET = Label("asset", "asset")

KNOWN_VOCABULARIES: dict[str, tuple[str, ...]] = {
    "evidence_mode": tuple(mode.value for mode in EvidenceMode),
    "evidence_status": tuple(status.value for status in EvidenceStatus),
    "severity": ("INFO", "WARN", "CRITICAL"),
    "side": ("BUY", "SELL"),
    "liquidity": ("maker", "taker"),
    "roundtrip_outcome": ("win", "loss", "flat"),
    "beat_outcome": ("ok", "failed", "unknown"),
    "notify_outcome": ("sent", "failed", "limited", "dropped"),
}
"""Vocabularies no other module owns; the composition may replace them, and gives all others."""

_SECONDS = ("0.0001", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "1", "5")
_LATENCY = ("0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10")
_STEP = ("0.00001", "0.000025", "0.00005", "0.0001", "0.00025", "0.0005", "0.001", "0.005", "0.02", "0.1", "1")
_BPS = ("-50", "-20", "-10", "-5", "-2", "-1", "0", "1", "2", "5", "10", "20", "50")


def _counter(name: str, text: str, *labels: Label) -> Metric:
    return Metric(name, MetricKind.COUNTER, text, labels, ())


def _gauge(name: str, text: str, *labels: Label) -> Metric:
    return Metric(name, MetricKind.GAUGE, text, labels, ())


def _histogram(name: str, text: str, buckets: tuple[str, ...], *labels: Label) -> Metric:
    return Metric(name, MetricKind.HISTOGRAM, text, labels, buckets)


_LIFECYCLE = (
    _gauge("fsm_current_state", "1 for the state the account is in, 0 for the others.", Label("state", "fsm_state")),
    _gauge("fsm_state_seconds", "Seconds in the current state."),
    _counter(
        "fsm_transitions_total",
        "State changes by their recorded reason.",
        Label("from", "fsm_state"),
        Label("to", "fsm_state"),
        Label("reason", "fsm_reason"),
    ),
    _gauge("fsm_condition_open", "1 while the condition holds.", Label("condition", "condition")),
    _counter("fsm_shadow_total", "Times a condition in shadow would have opened.", Label("condition", "condition")),
    _counter(
        "gate_refusals_total", "Requests refused, by the first gate.", Label("gate", "gate"), Label("intent", "intent")
    ),
)
_ORDERS = (
    _counter(
        "router_decision_total",
        "Decisions per order pair.",
        Label("decision", "decision"),
        Label("reason", "router_reason"),
    ),
    _counter("router_ops_total", "Operations the plans asked for.", Label("op", "op")),
    _counter("router_amend_savings_total", "Calls saved by amending in place instead of cancel and place."),
    _gauge("orders_open", "Own orders resting at the venue."),
    _gauge("orders_unknown", "Own orders whose fate is not known."),
    _gauge("levels_planned", "Grid levels wanted."),
    _gauge("levels_working", "Grid levels with a live order."),
    _histogram("order_latency_seconds", "Order request to its answer.", _LATENCY, Label("op", "op")),
    _counter("outbox_refused_total", "Requests refused at the moment of sending.", Label("reason", "outbox_reason")),
)
_TRUTH = (
    _gauge("sync_last_success_timestamp_seconds", "Unix time of the last complete sync; 0 for never."),
    _gauge("sync_venue_update_timestamp_seconds", "Unix time of the newest venue update seen; 0 for never."),
    _counter(
        "sync_mismatch_total", "Confirmed mismatches.", Label("kind", "mismatch_kind"), Label("severity", "severity")
    ),
    _gauge("sync_mismatch_open", "Mismatches open now.", Label("kind", "mismatch_kind")),
    _counter(
        "remediation_total", "Remedies executed.", Label("remedy", "remedy"), Label("outcome", "remediation_outcome")
    ),
)
_MONEY = (
    _counter("fills_total", "Fills booked, each once.", Label("side", "side"), Label("liquidity", "liquidity")),
    _counter("roundtrips_total", "Round trips closed, by net result.", Label("outcome", "roundtrip_outcome")),
    _histogram("roundtrip_net_bps", "Net result of a round trip in basis points of its entry.", _BPS),
    _counter("fees_quote_total", "Commission paid, valued in the quote asset; rebates are not subtracted."),
    _counter("funding_paid_quote_total", "Funding paid, in the quote asset."),
    _counter("funding_received_quote_total", "Funding received, in the quote asset."),
    _gauge("tieout_residual", "Wallet change less the ledger's, in the asset's units.", ASSET),
    _gauge("equity_quote", "Wallet plus unrealised result."),
    _gauge("unrealised_quote", "Unrealised result at mark."),
    _gauge("position_lots", "Signed position in lots.", SYMBOL),
)
_RISK = (
    _gauge("margin_ratio", "Maintenance margin over margin balance; 1 is liquidation."),
    _gauge("liquidation_distance_bps", "Mark to liquidation price in basis points of mark.", SYMBOL),
    _gauge("drawdown_bps", "Fall from the equity baseline in basis points."),
    _gauge("wce_quote", "Worst-case exposure.", SYMBOL),
    _gauge("exposure_cap_quote", "Exposure cap in force.", SYMBOL),
)
_VENUE = (
    _gauge("feed_age_seconds", "Seconds since the stream's last message.", Label("stream", "stream")),
    _counter("stream_reconnects_total", "Reconnections of the stream.", Label("stream", "stream")),
    _gauge("rate_weight_used_ratio", "Request weight used over the venue's limit."),
    _gauge("rate_orders_used_ratio", "Order count used over the venue's limit."),
    _counter("venue_errors_total", "Errors answered by the venue, by our own code.", Label("code", "venue_error")),
    _gauge("clock_offset_seconds", "Venue clock less ours."),
    _gauge("deadman_armed", "Symbols whose dead-man countdown runs at the venue."),
    _counter("deadman_beats_total", "Dead-man beats sent.", Label("outcome", "beat_outcome")),
)
_PROCESS = (
    _gauge("lease_held", "1 while this process holds the account."),
    _gauge("lease_epoch", "Epoch of the lease."),
    _histogram("journal_commit_seconds", "Time of a durable commit.", _SECONDS),
    _counter("journal_failures_total", "Commits that failed."),
    _gauge("journal_bytes", "Size of the journal."),
    _gauge("disk_free_bytes", "Free space where the journal lies."),
    _counter(
        "evidence_bundles_total",
        "Bundles written.",
        Label("mode", "evidence_mode"),
        Label("status", "evidence_status"),
    ),
    _counter("evidence_failures_total", "Bundles that could not be written."),
    _counter("notifications_total", "Messages to people, by what became of them.", Label("outcome", "notify_outcome")),
    _histogram("step_seconds", "Time of one engine step.", _STEP),
    _gauge("last_step_timestamp_seconds", "Unix time of the last engine step; 0 for never."),
    _gauge("loop_lag_seconds", "How late the event loop runs."),
    _gauge("memory_blocks", "Blocks of Python's own heap in use: what rises for hours is a leak."),
    _gauge("memory_heap_bytes", "Bytes of the C library's heap in use."),
    _gauge("build_info", "Always 1; the label says which build runs.", Label("version", "version")),
)

CATALOGUE: tuple[Metric, ...] = (*_LIFECYCLE, *_ORDERS, *_TRUTH, *_MONEY, *_RISK, *_VENUE, *_PROCESS)
