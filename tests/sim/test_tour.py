"""The tour walks every row that inputs can reach, and leaves one story: log, metrics, evidence, journal."""

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from gridops.adapters.metric_labels import open_metrics
from gridops.adapters.metrics import Metrics
from gridops.adapters.record_log import NO_EVIDENCE, LogSink
from gridops.adapters.record_metrics import MetricsSink
from gridops.decide.fsm_table import ROWS
from gridops.domain.effects import WriteBundle
from gridops.domain.records import Transition
from gridops.domain.vocabulary import FsmState
from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_run import DrillReport, run_drill
from gridops.sim.drill_spec import read_drill

TOUR = Path(__file__).resolve().parents[2] / "fixtures" / "drills" / "fsm-tour.toml"


class Lines:
    """A log that keeps what it was given."""

    def __init__(self) -> None:
        self.lines: list[dict[str, object]] = []

    def write(self, record: dict[str, object], *, important: bool = False) -> None:
        self.lines.append(record)


class Orders:
    """Evidence that was ordered."""

    def __init__(self) -> None:
        self.orders: list[WriteBundle] = []

    def write(self, order: WriteBundle, rows: object) -> None:
        self.orders.append(order)


@cache
def tour() -> tuple[DrillReport, DrillDay, Lines, Metrics, Orders]:
    """Once for all tests of this file, with every sink attached."""
    log, orders, days = Lines(), Orders(), list[DrillDay]()
    metrics = open_metrics(symbols=("BTCUSDT",), assets=("USDT",), version="0")

    def attach(day: DrillDay) -> None:
        day.sinks = (LogSink(log), MetricsSink(metrics, quote_asset="USDT"))
        day.bundles = orders
        days.append(day)

    return run_drill(read_drill(TOUR), 1, prepare=attach), days[0], log, metrics, orders


@pytest.mark.simulation
@pytest.mark.timeout(300)
def test_every_row_that_inputs_can_reach_is_walked_and_the_others_are_named() -> None:
    report = tour()[0]
    assert [check.says for check in report.checks if not check.ok] == []
    rows = report.rows_walked
    told = [*rows.walked, *rows.missed, *(row for row, _ in rows.unreachable)]
    assert rows.rows == len(ROWS) == len(told) == len(set(told))
    assert rows.missed == () and all(why for _, why in rows.unreachable)
    print(f"{len(rows.walked)} walked, {len(rows.unreachable)} out of reach, {rows.rows} rows")


@pytest.mark.simulation
def test_a_tour_cut_short_says_what_it_missed() -> None:
    drill = read_drill(TOUR)
    report = run_drill(replace(drill, steps=drill.steps[:20], run_ms=60_000), 1)
    assert not report.ok and "STOPPING x BREACH" in report.rows_walked.missed


@pytest.mark.simulation
@pytest.mark.timeout(300)
def test_log_metrics_evidence_and_journal_of_the_tour_are_one_story() -> None:
    _, day, log, metrics, orders = tour()
    rows = [(each.seq, each.what) for each in day.tape.said if isinstance(each.what, Transition)]
    lines = [line for line in log.lines if line["event"] == "Transition"]
    assert [(line["seq"], line["from_state"], line["to_state"], line["reason"]) for line in lines] == [
        (seq, move.from_state, move.to_state, move.reason) for seq, move in rows
    ]
    assert counted(metrics) == Counter((move.from_state, move.to_state, move.reason) for _, move in rows)
    required = {(seq, move.bundle) for seq, move in rows if move.bundle}
    assert {(line["seq"], line["evidence_ref"]) for line in lines if line["evidence_ref"] != NO_EVIDENCE} == required
    assert {
        (int(each.name.rpartition("-")[2]) // 10, each.name)
        for each in orders.orders
        if each.mode in ("transition", "kill")
    } == required
    assert {move.to_state for _, move in rows} == set(FsmState)
    print(f"{len(rows)} rows, {len(lines)} lines, {sum(counted(metrics).values())} counted, {len(required)} bundles")


def counted(metrics: Metrics) -> Counter[tuple[str, str, str]]:
    """(from, to, reason) -> count, as the exposition says it."""
    found: Counter[tuple[str, str, str]] = Counter()
    for line in metrics.render().decode().splitlines():
        if line.startswith("gridops_fsm_transitions_total{"):
            name, _, held = line.rpartition(" ")
            labels = dict(part.split("=") for part in name.partition("{")[2].rstrip("}").replace('"', "").split(","))
            if float(held):
                found[labels["from"], labels["to"], labels["reason"]] += int(float(held))
    return found
