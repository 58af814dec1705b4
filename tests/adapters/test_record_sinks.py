"""No silent transition: each is one log line and one increment, joined by its number; no sink reaches the engine."""

import json
import re
from collections import Counter
from collections.abc import Sequence

import pytest
from gridops.adapters.log_json import JsonLog
from gridops.adapters.metric_labels import combinations, open_metrics
from gridops.adapters.metrics import Metrics
from gridops.adapters.record_log import LogSink
from gridops.adapters.record_metrics import MetricsSink
from gridops.adapters.record_sinks import GuardedSink, engine_sinks
from gridops.domain.events import Header
from gridops.domain.records import Record
from gridops.domain.vocabulary import FsmReason, FsmState
from gridops.runtime.state import EngineState
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adapters.record_kit import engine_state, every_record, header, sent, transition

MOVES = combinations()["fsm_transitions_total"]


def step_of(moves: Sequence[tuple[str, ...]]) -> list[Record]:
    """The records of one step: other words around its transitions, as a real step has them."""
    said: list[Record] = [sent()]
    for before, to, reason in moves:
        said += [transition(FsmState(before), FsmState(to), FsmReason(reason)), sent()]
    return said


def counts(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """The transition counters as they stand on the page; the page sorts labels by name."""
    page = metrics.render().decode()
    rows = re.findall(r'fsm_transitions_total{from="(\w+)",reason="(\w+)",to="(\w+)"} ([\d.]+)', page)
    return {(before, to, reason): float(count) for before, reason, to, count in rows}


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.lists(st.sampled_from(MOVES), max_size=4), min_size=1, max_size=12))
def test_every_transition_is_one_line_and_one_increment(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[tuple[str, ...]]]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = JsonLog(folder)
    counted = MetricsSink(open_metrics(symbols=("BTCUSDT",), assets=("USDT",), version="0"), quote_asset="USDT")
    alarms: list[str] = []
    sinks = engine_sinks(LogSink(log), counted, alarms.append)
    before = dict.fromkeys(MOVES, 0.0)
    for seq, moves in enumerate(steps, start=1):
        for sink in sinks:
            sink.take(header(seq), step_of(moves))
        after = counts(counted.metrics)
        grown = {move: after[move] - before[move] for move in after if after[move] != before[move]}
        assert grown == Counter(moves), f"input {seq}"
        before = after
    log.close()
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    logged = [
        (line["seq"], (line["from_state"], line["to_state"], line["reason"]))
        for line in lines
        if line["event"] == "Transition"
    ]
    assert logged == [(seq, move) for seq, moves in enumerate(steps, start=1) for move in moves]
    assert alarms == []


class Broken:
    """A sink with a bug."""

    def take(self, header: Header, records: Sequence[Record]) -> None:
        raise KeyError("a bug")

    def gauge(self, state: EngineState) -> None:
        raise ValueError("another")


def test_a_sinks_bug_is_said_once_and_stops_nothing() -> None:
    alarms: list[str] = []
    guarded = GuardedSink(Broken(), alarms.append)
    for seq in (4, 5, 6):
        guarded.take(header(seq), every_record())
        guarded.gauge(engine_state())
    assert guarded.failures == 6
    assert alarms == [
        "Broken failed at input 4: KeyError: 'a bug'",
        "Broken failed at gauges: ValueError: another",
    ]
