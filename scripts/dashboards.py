"""Write the Grafana dashboards `runbooks/dashboards/*.json`: trading, risk, engine. `--check` only compares.

A panel is a title, a unit and its queries; place, identity and the rest of Grafana's format follow from that.
"""

import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "runbooks" / "dashboards"
WIDTH, HEIGHT, COLUMNS = 8, 8, 3
SOURCE = {"type": "prometheus", "uid": "${source}"}
ALL = '{job="$job"}'
_SYMBOL = '{job="$job", symbol="$symbol"}'
Panel = tuple[str, str, tuple[tuple[str, str], ...]]
"""Title, unit of Grafana, and (legend, query) pairs."""


def _quantile(metric: str, share: str, by: str = "le") -> str:
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{ALL}[$__rate_interval])))"


def _rate(metric: str, by: str, matcher: str = ALL) -> str:
    return f"sum by ({by}) (rate({metric}{matcher}[$__rate_interval]))"


DASHBOARDS: dict[str, tuple[str, tuple[Panel, ...]]] = {
    "trading": ("gridops trading", (
        ("Equity", "none", (("equity", f"gridops_equity_quote{ALL}"),)),
        ("Position", "none", (("{{symbol}} lots", f"gridops_position_lots{_SYMBOL}"),)),
        ("Unrealised result", "none", (("unrealised", f"gridops_unrealised_quote{ALL}"),)),
        ("Fills per second", "ops", (("{{side}} {{liquidity}}", _rate("gridops_fills_total", "side, liquidity")),)),
        ("Round trips per second", "ops", (("{{outcome}}", _rate("gridops_roundtrips_total", "outcome")),)),
        ("Net of a round trip", "none", (
            ("median bps", _quantile("gridops_roundtrip_net_bps", "0.5")),
            ("trips", f"sum(gridops_roundtrip_net_bps_count{ALL})"),
        )),
        ("Fees and funding", "none", (
            ("fees", f"gridops_fees_quote_total{ALL}"),
            ("funding paid", f"gridops_funding_paid_quote_total{ALL}"),
            ("funding received", f"gridops_funding_received_quote_total{ALL}"),
        )),
        ("Ladder", "none", (
            ("planned", f"gridops_levels_planned{ALL}"), ("working", f"gridops_levels_working{ALL}"),
            ("orders open", f"gridops_orders_open{ALL}"),
        )),
        ("Router decisions per second", "ops", (
            ("{{decision}} {{reason}}", _rate("gridops_router_decision_total", "decision, reason")),
        )),
        ("Operations per second", "ops", (
            ("{{op}}", _rate("gridops_router_ops_total", "op")),
            ("calls saved", f"rate(gridops_router_amend_savings_total{ALL}[$__rate_interval])"),
        )),
        ("Order latency", "s", (
            ("p50 {{op}}", _quantile("gridops_order_latency_seconds", "0.5", "le, op")),
            ("p95 {{op}}", _quantile("gridops_order_latency_seconds", "0.95", "le, op")),
        )),
        ("Venue errors per second", "ops", (("{{code}}", _rate("gridops_venue_errors_total", "code")),)),
    )),
    "risk": ("gridops risk", (
        ("State", "none", (("{{state}}", f"gridops_fsm_current_state{ALL} == 1"),)),
        ("Open conditions", "none", (("{{condition}}", f"gridops_fsm_condition_open{ALL}"),)),
        ("Drawdown", "none", (("bps", f"gridops_drawdown_bps{ALL}"),)),
        ("Worst case and its cap", "none", (
            ("worst case", f"gridops_wce_quote{_SYMBOL}"), ("cap", f"gridops_exposure_cap_quote{_SYMBOL}"),
        )),
        ("Margin ratio", "percentunit", (("maintenance over balance", f"gridops_margin_ratio{ALL}"),)),
        ("Distance to liquidation", "none", (("bps", f"gridops_liquidation_distance_bps{_SYMBOL}"),)),
        ("Orders of unknown fate", "none", (("unknown", f"gridops_orders_unknown{ALL}"),)),
        ("Open mismatches", "none", (("{{kind}}", f"gridops_sync_mismatch_open{ALL}"),)),
        ("Tie-out residual", "none", (("{{asset}}", f"gridops_tieout_residual{ALL}"),)),
        ("Age of the last sync", "s", (
            ("sync", f"time() - gridops_sync_last_success_timestamp_seconds{ALL}"),
            ("newest venue fact", f"time() - gridops_sync_venue_update_timestamp_seconds{ALL}"),
        )),
        ("Dead-man", "none", (
            ("symbols armed", f"gridops_deadman_armed{ALL}"),
            ("beats per second {{outcome}}", _rate("gridops_deadman_beats_total", "outcome")),
        )),
        ("Gate refusals per second", "ops", (
            ("{{gate}} {{intent}}", _rate("gridops_gate_refusals_total", "gate, intent")),
            ("last hop {{reason}}", _rate("gridops_outbox_refused_total", "reason")),
        )),
        ("Transitions per second", "ops", (
            ("{{from}} to {{to}}: {{reason}}", _rate("gridops_fsm_transitions_total", "from, to, reason")),
        )),
        ("Mismatches and remedies", "none", (
            ("{{kind}}", f"sum by (kind) (gridops_sync_mismatch_total{ALL})"),
            ("{{remedy}} {{outcome}}", f"sum by (remedy, outcome) (gridops_remediation_total{ALL})"),
        )),
        ("Shadow", "none", (("{{condition}}", f"gridops_fsm_shadow_total{ALL}"),)),
    )),
    "engine": ("gridops engine", (
        ("Since the last step", "s", (("age", f"time() - gridops_last_step_timestamp_seconds{ALL}"),)),
        ("Time in state", "s", (("state", f"gridops_fsm_state_seconds{ALL}"),)),
        ("Step time", "s", (
            ("p50", _quantile("gridops_step_seconds", "0.5")), ("p99", _quantile("gridops_step_seconds", "0.99")),
        )),
        ("Commit time", "s", (
            ("p50", _quantile("gridops_journal_commit_seconds", "0.5")),
            ("p99", _quantile("gridops_journal_commit_seconds", "0.99")),
        )),
        ("Loop lag", "s", (("lag", f"gridops_loop_lag_seconds{ALL}"),)),
        ("Feed age", "s", (("{{stream}}", f"gridops_feed_age_seconds{ALL}"),)),
        ("Reconnections", "none", (("{{stream}}", f"gridops_stream_reconnects_total{ALL}"),)),
        ("Rate limits used", "percentunit", (
            ("weight", f"gridops_rate_weight_used_ratio{ALL}"), ("orders", f"gridops_rate_orders_used_ratio{ALL}"),
        )),
        ("Clock offset", "s", (("venue less ours", f"gridops_clock_offset_seconds{ALL}"),)),
        ("Disk", "bytes", (("free", f"gridops_disk_free_bytes{ALL}"), ("journal", f"gridops_journal_bytes{ALL}"))),
        ("Memory in use", "bytes", (("C heap", f"gridops_memory_heap_bytes{ALL}"),)),
        ("Objects in memory", "none", (("blocks", f"gridops_memory_blocks{ALL}"),)),
        ("Failures", "none", (
            ("commits", f"gridops_journal_failures_total{ALL}"), ("bundles", f"gridops_evidence_failures_total{ALL}"),
        )),
        ("Messages", "none", (("{{outcome}}", f"gridops_notifications_total{ALL}"),)),
        ("Bundles", "none", (
            ("{{mode}} {{status}}", f"sum by (mode, status) (gridops_evidence_bundles_total{ALL})"),
        )),
        ("Lease", "none", (("held", f"gridops_lease_held{ALL}"), ("epoch", f"gridops_lease_epoch{ALL}"))),
        ("Build", "none", (("{{version}}", f"gridops_build_info{ALL}"),)),
    )),
}  # fmt: skip


def dashboard(name: str) -> dict[str, Any]:
    """One dashboard in Grafana's format."""
    title, panels = DASHBOARDS[name]
    return {
        "uid": f"gridops-{name}",
        "title": title,
        "tags": ["gridops"],
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "timezone": "utc",
        "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {"list": _variables()},
        "panels": [_panel(i, *each) for i, each in enumerate(panels)],
    }


def _variables() -> list[dict[str, Any]]:
    source = {"name": "source", "type": "datasource", "query": "prometheus"}
    return [source, _variable("job", "gridops_build_info"), _variable("symbol", "gridops_position_lots")]


def _variable(name: str, metric: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "refresh": 2,
        "query": {"query": f"label_values({metric}, {name})", "refId": name},
    }


def _panel(i: int, title: str, unit: str, queries: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {
        "id": i + 1,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": i % COLUMNS * WIDTH, "y": i // COLUMNS * HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + j), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for j, (legend, query) in enumerate(queries)
        ],
    }


def main() -> int:
    stale = []
    for name in DASHBOARDS:
        path, text = FOLDER / f"{name}.json", json.dumps(dashboard(name), indent=1) + "\n"
        if not path.is_file() or path.read_text("utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv[1:]:
                path.write_text(text, "utf-8")
    print(f"stale: {', '.join(stale) or 'nothing'}")
    return int("--check" in sys.argv[1:] and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
