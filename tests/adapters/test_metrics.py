"""Exactly the contract's metrics exist, all from the start at zero, and nothing else can be emitted."""

import gc
import math
import sys
from collections.abc import Mapping
from decimal import Decimal

import pytest
from gridops.adapters.metrics import MetricError, Metrics
from gridops.domain.catalogue import CATALOGUE, KNOWN_VOCABULARIES, Label, Metric, MetricKind
from prometheus_client.parser import text_string_to_metric_families

CONTRACT = """
fsm_current_state{state} fsm_state_seconds fsm_transitions_total{from,to,reason} fsm_condition_open{condition}
gate_refusals_total{gate,intent} router_decision_total{decision,reason} router_ops_total{op}
router_amend_savings_total orders_open orders_unknown levels_planned levels_working order_latency_seconds{op}
outbox_refused_total{reason} sync_last_success_timestamp_seconds sync_venue_update_timestamp_seconds
sync_mismatch_total{kind,severity} sync_mismatch_open{kind} remediation_total{remedy,outcome}
fills_total{side,liquidity} roundtrips_total{outcome} roundtrip_net_bps fees_quote_total funding_paid_quote_total
funding_received_quote_total tieout_residual{asset} equity_quote unrealised_quote position_lots{symbol} margin_ratio
liquidation_distance_bps{symbol} drawdown_bps wce_quote{symbol} exposure_cap_quote{symbol} feed_age_seconds{stream}
stream_reconnects_total{stream} rate_weight_used_ratio rate_orders_used_ratio venue_errors_total{code}
clock_offset_seconds deadman_armed deadman_beats_total{outcome} lease_held lease_epoch journal_commit_seconds
journal_failures_total journal_bytes disk_free_bytes evidence_bundles_total{mode,status} evidence_failures_total
step_seconds last_step_timestamp_seconds loop_lag_seconds build_info{version}
"""
BEYOND = {"notifications_total{outcome}", "fsm_shadow_total{condition}", "memory_blocks", "memory_heap_bytes"}
"""Not required by the list: messages, thresholds that are tried out without effect, what is in use of the memory."""
HISTOGRAMS = {"order_latency_seconds", "roundtrip_net_bps", "journal_commit_seconds", "step_seconds"}
STATES = ("INIT", "READY", "ACTIVE", "DEGRADED")
ROWS = [("INIT", "READY", "health_ok"), ("READY", "ACTIVE", "armed")]


def vocabularies() -> dict[str, tuple[str, ...]]:
    """Two values for every vocabulary the composition owns, but the states."""
    named = {label.vocabulary for metric in CATALOGUE for label in metric.labels} - KNOWN_VOCABULARIES.keys()
    plain = {name: (f"{name}_a", f"{name}_b") for name in named - {"symbol", "asset"}}
    return {**plain, "fsm_state": STATES, "fsm_reason": ("health_ok", "armed", "feed_stale"), "version": ("0.1.0",)}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(
        CATALOGUE,
        vocabularies(),
        symbols=["BTCUSDT"],
        assets=["USDT", "BNB"],
        combinations={"fsm_transitions_total": ROWS},
    )


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_catalogue_is_the_contracts_list() -> None:
    named = {
        metric.name + ("{" + ",".join(label.name for label in metric.labels) + "}" if metric.labels else "")
        for metric in CATALOGUE
    }
    assert named == set(CONTRACT.split()) | BEYOND
    assert len(CATALOGUE) == len({metric.name for metric in CATALOGUE})


def test_kinds_follow_the_names() -> None:
    assert {metric.name for metric in CATALOGUE if metric.kind is MetricKind.HISTOGRAM} == HISTOGRAMS
    counters = {metric.name for metric in CATALOGUE if metric.kind is MetricKind.COUNTER}
    assert counters == {metric.name for metric in CATALOGUE if metric.name.endswith("_total")}
    assert all(bool(metric.buckets) == (metric.name in HISTOGRAMS) for metric in CATALOGUE)


def test_every_series_is_there_at_zero_and_no_other(metrics: Metrics) -> None:
    found = samples(metrics)
    families = {f"gridops_{metric.name}" for metric in CATALOGUE}
    bare = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name, _ in found}
    assert bare == families
    assert set(found.values()) == {0.0}
    assert ("gridops_position_lots", (("symbol", "BTCUSDT"),)) in found
    assert len([name for name, _ in found if name == "gridops_evidence_bundles_total"]) == 18 * 3
    assert not [name for name, _ in found if name.endswith("_created")]


def test_transitions_have_only_the_tables_rows(metrics: Metrics) -> None:
    found = [dict(labels) for name, labels in samples(metrics) if name == "gridops_fsm_transitions_total"]
    assert [(each["from"], each["to"], each["reason"]) for each in found] == ROWS
    with pytest.raises(MetricError):
        metrics.inc("fsm_transitions_total", ("INIT", "ACTIVE", "armed"))


def test_emissions_arrive_under_their_labels(metrics: Metrics) -> None:
    metrics.inc("fsm_transitions_total", ROWS[0])
    metrics.inc("fees_quote_total", n=Decimal("0.25"))
    metrics.set("position_lots", ("BTCUSDT",), -7)
    metrics.observe("step_seconds", v=0.00002)
    found = samples(metrics)
    assert found["gridops_fees_quote_total", ()] == 0.25
    assert found["gridops_fsm_transitions_total", (("from", "INIT"), ("reason", "health_ok"), ("to", "READY"))] == 1
    assert found["gridops_position_lots", (("symbol", "BTCUSDT"),)] == -7
    assert found["gridops_step_seconds_bucket", (("le", "1e-05"),)] == 0
    assert found["gridops_step_seconds_bucket", (("le", "2.5e-05"),)] == 1
    assert metrics.read("step_seconds") == 1 and metrics.read("position_lots", ("BTCUSDT",)) == -7


def test_one_hot_is_hot_for_one(metrics: Metrics) -> None:
    for state in ("INIT", "READY", "READY", "DEGRADED"):
        metrics.one_hot("fsm_current_state", state)
        assert [each for each in STATES if metrics.read("fsm_current_state", (each,))] == [state]
    with pytest.raises(MetricError):
        metrics.one_hot("fsm_current_state", "NOWHERE")
    assert metrics.read("fsm_current_state", ("DEGRADED",)) == 1


@pytest.mark.parametrize(
    ("call", "name", "labels", "v"),
    [
        ("inc", "made_up_total", (), 1),
        ("inc", "orders_open", (), 1),
        ("set", "fills_total", ("BUY", "maker"), 1),
        ("observe", "orders_open", (), 1),
        ("set", "position_lots", ("ETHUSDT",), 1),
        ("set", "position_lots", (), 1),
        ("inc", "fills_total", ("maker", "BUY"), 1),
        ("inc", "fees_quote_total", (), -1),
        ("inc", "fees_quote_total", (), math.nan),
        ("inc", "fees_quote_total", (), Decimal("NaN")),
        ("observe", "step_seconds", (), math.inf),
    ],
)
def test_what_the_catalogue_does_not_name_is_a_bug(
    metrics: Metrics, call: str, name: str, labels: tuple[str, ...], v: float
) -> None:
    before = samples(metrics)
    with pytest.raises(MetricError):
        getattr(metrics, call)(name, labels, v)
    assert samples(metrics) == before


@pytest.mark.parametrize(
    ("label_values", "combinations"),
    [
        ({}, {}),
        ({"x": [str(at) for at in range(5000)]}, {}),
        ({"x": ["a"]}, {"m_total": [("b",)]}),
        ({"x": ["a"]}, {"m_total": [("a", "a")]}),
        ({"x": ["a"]}, {"other_total": [("a",)]}),
    ],
)
def test_unbounded_or_unknown_label_values_are_refused(
    label_values: Mapping[str, list[str]], combinations: Mapping[str, list[tuple[str, ...]]]
) -> None:
    metric = Metric("m_total", MetricKind.COUNTER, "help", (Label("x", "x"),), ())
    with pytest.raises(MetricError):
        Metrics([metric], label_values, symbols=[], assets=[], combinations=combinations)


def test_a_first_emission_takes_no_memory(metrics: Metrics) -> None:
    """A number that each series makes when it is first used, hours into a run, looks like a leak."""
    counters = every_series(metrics, MetricKind.COUNTER)
    gauges = every_series(metrics, MetricKind.GAUGE)
    gc.collect()
    before = sys.getallocatedblocks()
    for name, labels in counters:
        metrics.inc(name, labels)
    for at, (name, labels) in enumerate(gauges):
        metrics.set(name, labels, at)
    gc.collect()
    grown = sys.getallocatedblocks() - before
    assert len(counters) + len(gauges) > 100
    assert grown < 10, grown


def every_series(metrics: Metrics, kind: MetricKind) -> list[tuple[str, tuple[str, ...]]]:
    found = samples(metrics)
    named = {metric.full_name: metric for metric in CATALOGUE if metric.kind is kind}
    return [
        (named[name].name, tuple(dict(labels)[label.name] for label in named[name].labels))
        for name, labels in found
        if name in named
    ]
