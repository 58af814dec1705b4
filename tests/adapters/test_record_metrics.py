"""Each record moves exactly the series it speaks of, by the right amount, and no other."""

from decimal import Decimal

import pytest
from gridops.adapters.metric_labels import combinations, label_values, open_metrics
from gridops.adapters.metrics import MetricError, Metrics
from gridops.adapters.record_metrics import MetricsSink
from gridops.domain.catalogue import CATALOGUE
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.records import Record
from gridops.domain.vocabulary import FsmReason, FsmState, OpKind, Side, VenueCode, WriteOutcome
from prometheus_client.parser import text_string_to_metric_families
from tests.adapters.record_kit import (
    booked,
    decided,
    edge,
    every_record,
    fill,
    gate_refused,
    header,
    mismatch,
    note,
    outbox,
    sent,
    synced,
    transition,
    trip,
    wrote,
)

Samples = dict[tuple[str, tuple[str, ...]], float]


def new_sink() -> MetricsSink:
    return MetricsSink(open_metrics(symbols=("BTCUSDT",), assets=("USDT", "BNB"), version="1.2.3"), quote_asset="USDT")


def samples(metrics: Metrics) -> Samples:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name.removeprefix("gridops_"), _in_order(sample.labels)): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


def _in_order(labels: dict[str, str]) -> tuple[str, ...]:
    """Values as the contract writes them; the page itself sorts labels by name."""
    written = ("from", "to", "side", "liquidity", "decision", "gate", "kind")
    return tuple(
        labels[name]
        for name in sorted(labels, key=lambda n: (n not in written, written.index(n) if n in written else 0, n))
    )


def moved_by(sink: MetricsSink, *records: Record) -> Samples:
    """What changed, as differences."""
    before = samples(sink.metrics)
    sink.take(header(1), records)
    after = samples(sink.metrics)
    assert before.keys() == after.keys()
    return {key: round(after[key] - before[key], 9) for key in after if after[key] != before[key]}


CASES: list[tuple[str, Record, Samples]] = [
    (
        "transition",
        transition(),
        {
            ("fsm_transitions_total", ("ACTIVE", "DEGRADED", "feed_stale")): 1,
            ("fsm_current_state", ("DEGRADED",)): 1,
        },
    ),
    ("condition", edge(is_open=True), {("fsm_condition_open", ("feed_stale",)): 1}),
    ("gate", gate_refused(), {("gate_refusals_total", ("exposure", "increase")): 1}),
    ("decision", decided(), {("router_decision_total", ("amend", "outside_hold_band")): 1}),
    ("op", sent(), {("router_ops_total", ("amend",)): 1}),
    (
        "place answered",
        wrote(OpKind.PLACE, WriteOutcome.CONFIRMED),
        {("order_latency_seconds_count", ("place",)): 1, ("order_latency_seconds_sum", ("place",)): 0.02},
    ),
    (
        "amend answered",
        wrote(OpKind.AMEND, WriteOutcome.CONFIRMED),
        {
            ("order_latency_seconds_count", ("amend",)): 1,
            ("order_latency_seconds_sum", ("amend",)): 0.02,
            ("router_amend_savings_total", ()): 1,
        },
    ),
    (
        "amend refused by the venue",
        wrote(OpKind.AMEND, WriteOutcome.REFUSED, VenueCode.FILTER),
        {
            ("order_latency_seconds_count", ("amend",)): 1,
            ("order_latency_seconds_sum", ("amend",)): 0.02,
            ("venue_errors_total", ("filter",)): 1,
        },
    ),
    (
        "denied without a word",
        wrote(OpKind.PLACE, WriteOutcome.DENIED, VenueCode.OTHER),
        {("outbox_refused_total", ("other",)): 1},
    ),
    ("outbox gate", outbox("decision_age 812 ms > 500"), {("outbox_refused_total", ("decision_age",)): 1}),
    ("outbox late", outbox("late decided 2001 ms ago"), {("outbox_refused_total", ("late",)): 1}),
    ("outbox outrun", outbox("outrun amend to 2 lots"), {("outbox_refused_total", ("outrun",)): 1}),
    ("outbox journal", outbox("journal_failed"), {("outbox_refused_total", ("journal_failed",)): 1}),
    ("outbox nonsense", outbox("who knows"), {("outbox_refused_total", ("other",)): 1}),
    ("outbox empty", outbox("  "), {("outbox_refused_total", ("other",)): 1}),
    ("maker buy", fill(), {("fills_total", ("BUY", "maker")): 1, ("fees_quote_total", ()): 0.05}),
    ("taker sell", fill(maker=False, side=Side.SELL, fee="0"), {("fills_total", ("SELL", "taker")): 1}),
    ("rebate", fill(fee="-0.01"), {("fills_total", ("BUY", "maker")): 1}),
    ("fee in another asset", fill(fee_asset="BNB"), {("fills_total", ("BUY", "maker")): 1}),
    (
        "win",
        trip("0.2", 3),
        {("roundtrips_total", ("win",)): 1, ("roundtrip_net_bps_count", ()): 1},
    ),
    (
        "loss",
        trip("-0.2", -3),
        {("roundtrips_total", ("loss",)): 1, ("roundtrip_net_bps_count", ()): 1},
    ),
    ("flat", trip("0", 0), {("roundtrips_total", ("flat",)): 1, ("roundtrip_net_bps_count", ()): 1}),
    ("mismatch", mismatch(), {("sync_mismatch_total", ("position_qty", "critical")): 1}),
    ("one read is no mismatch", mismatch(confirmed=False), {}),
    ("a mismatch that ended", mismatch(closed=True), {}),
    ("funding paid", booked(), {("funding_paid_quote_total", ()): 0.07}),
    ("funding received", booked(amount="0.03"), {("funding_received_quote_total", ()): 0.03}),
    ("transfer", booked("transfer", "100"), {}),
    ("funding in another asset", booked(asset="BNB"), {}),
    ("read", synced(ok=True, detail="3 open"), {}),
    ("read failed", synced(ok=False, detail="timeout no answer"), {("venue_errors_total", ("timeout",)): 1}),
    ("read failed, no reason", synced(ok=False), {("venue_errors_total", ("other",)): 1}),
    ("beat unknown", note("deadman_beat", "BTCUSDT unknown timeout"), {("deadman_beats_total", ("unknown",)): 1}),
    ("beat refused", note("deadman_beat", "BTCUSDT refused auth"), {("deadman_beats_total", ("failed",)): 1}),
    ("stream up first", note("stream", "user up=True connected"), {}),
    ("stream down", note("stream", "user up=False closed"), {}),
    ("other note", note("modes", "hedge=False"), {}),
]


@pytest.mark.parametrize(("record", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_record_moves_its_series_and_no_other(record: Record, expected: Samples) -> None:
    assert moved_by(new_sink(), record) == expected


def test_every_record_type_is_taken() -> None:
    new_sink().take(header(1), every_record())


def test_denial_with_its_own_record_counts_once() -> None:
    moved = moved_by(new_sink(), wrote(OpKind.PLACE, WriteOutcome.DENIED), outbox("lease"))
    assert moved == {("outbox_refused_total", ("lease",)): 1}


def test_second_connection_of_a_stream_is_a_reconnection() -> None:
    sink = new_sink()
    up, down = note("stream", "book up=True"), note("stream", "book up=False lost")
    assert moved_by(sink, up, down) == {}
    assert moved_by(sink, up) == {("stream_reconnects_total", ("book",)): 1}


def test_condition_stays_open_while_any_scope_holds_it() -> None:
    sink = new_sink()
    sink.take(header(1), [edge(is_open=True, scope="BTCUSDT"), edge(is_open=True)])
    assert moved_by(sink, edge(is_open=False)) == {}
    assert moved_by(sink, edge(is_open=False, scope="BTCUSDT")) == {("fsm_condition_open", ("feed_stale",)): -1}


def test_the_state_gauge_is_one_hot_over_transitions() -> None:
    sink = new_sink()
    sink.take(header(1), [transition(), transition(FsmState.DEGRADED, FsmState.READY, FsmReason.TRUST_RESTORED)])
    hot = [state for state in FsmState if sink.metrics.read("fsm_current_state", (state.value,))]
    assert hot == [FsmState.READY]


def test_figures_without_a_record_have_a_method() -> None:
    sink = new_sink()
    sink.observe_step(0.00002)
    sink.observe_commit(0.004)
    sink.observe_lag(0.3)
    sink.evidence_written(EvidenceMode.TRANSITION, EvidenceStatus.FINDING)
    sink.evidence_failed()
    read = sink.metrics.read
    assert (read("step_seconds"), read("journal_commit_seconds"), read("loop_lag_seconds")) == (1, 1, 0.3)
    assert read("evidence_bundles_total", ("transition", "finding")) == read("evidence_failures_total") == 1


# Section 1 of the contracts, as it stands there: event, its reasons, from, to.
_TABLE = """
KILL|kill_switch|INIT READY ACTIVE THROTTLED PAUSED DEGRADED STOPPING|EMERGENCY
BREACH|drawdown margin_critical exposure_cap|INIT READY ACTIVE THROTTLED PAUSED DEGRADED STOPPING|EMERGENCY
STOP|operator_stop signal market_ended|INIT READY ACTIVE THROTTLED PAUSED DEGRADED|STOPPING
TRUST_LOST|feed_stale user_stream_lost clock_skew filters_stale position_mismatch orders_unknown sync_failing \
journal_failed lease_lost foreign_writer rate_banned auth_rejected venue_down environment_changed mode_changed \
book_invalid resumed loop_lag disk_low invariant_broken|READY ACTIVE THROTTLED PAUSED|DEGRADED
PAUSE|operator_pause toxicity_high loss_streak daily_drawdown exposure_high out_of_range maintenance|\
READY ACTIVE THROTTLED|PAUSED
READY_LOST|disarmed follower feeds_not_ready|ACTIVE THROTTLED|READY
THROTTLE|toxicity_mid rate_budget_low|ACTIVE|THROTTLED
THROTTLE|toxicity_mid rate_budget_low|READY|ACTIVE
BOOT_OK|health_ok|INIT|READY
TRUST_BACK|trust_restored|DEGRADED|READY
PAUSE_OVER|operator_resume toxicity_low streak_cooled day_rolled|PAUSED|READY
THROTTLE_OVER|toxicity_low rate_budget_back|THROTTLED|ACTIVE
QUOTE|feeds_ready|READY|ACTIVE
ACK|operator_ack|EMERGENCY|INIT
"""


def contract_moves() -> set[tuple[str, str, str]]:
    rows = [line.split("|") for line in _TABLE.strip().splitlines()]
    return {
        (before, to, reason)
        for _, reasons, befores, to in rows
        for before in befores.split()
        for reason in reasons.split()
    }


def test_every_transition_of_the_contract_has_its_series_from_the_start() -> None:
    known = set(combinations()["fsm_transitions_total"])
    assert contract_moves() <= known
    # Nothing but the reasons that the contract calls examples may come on top of its own.
    assert {edge[:2] for edge in known} == {edge[:2] for edge in contract_moves()}
    assert len(known) < 300


def test_transition_outside_the_table_is_a_bug_and_not_a_series() -> None:
    with pytest.raises(MetricError):
        new_sink().take(header(1), [transition(FsmState.INIT, FsmState.ACTIVE)])


def test_vocabularies_cover_the_catalogue() -> None:
    named = {label.vocabulary for metric in CATALOGUE for label in metric.labels}
    assert label_values("0").keys() <= named
    metrics = open_metrics(symbols=("BTCUSDT",), assets=("USDT",), version="1.2.3")
    assert metrics.read("build_info", ("1.2.3",)) == 1
    assert sum(samples(metrics).values()) == 1


def test_fees_add_up_as_money() -> None:
    sink = new_sink()
    for _ in range(10):
        sink.take(header(1), [fill(fee="0.1")])
    assert Decimal(str(round(sink.metrics.read("fees_quote_total"), 9))) == 1
