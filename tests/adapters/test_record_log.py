"""Every record is one log line that says when, what and why, whole and machine-readable."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from gridops.adapters.log_json import JsonLog
from gridops.adapters.record_log import LINE_FIELDS, NO_EVIDENCE, LogSink
from gridops.domain.records import Record, Transition
from gridops.domain.vocabulary import FsmState, Severity
from tests.adapters.record_kit import (
    WALL_MS,
    booked,
    edge,
    engine_state,
    every_record,
    fill,
    header,
    mismatch,
    note,
    sent,
    transition,
)


def lines_of(folder: Path, records: list[Record], seq: int = 7) -> list[dict[str, object]]:
    log = JsonLog(folder)
    LogSink(log).take(header(seq), records)
    log.close()
    return [json.loads(line) for line in log.path.read_text().splitlines()]


class HeardLog:
    """Keeps what was handed over, and whether it was said to matter."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, object], bool]] = []

    def write(self, record: dict[str, object], *, important: bool = False) -> None:
        self.heard.append((record, important))


@pytest.mark.parametrize("record", every_record(), ids=lambda record: type(record).__name__)
def test_line_has_number_time_type_and_every_field(tmp_path: Path, record: Record) -> None:
    (line,) = lines_of(tmp_path, [record])
    assert (line["seq"], line["at_ms"], line["event"]) == (7, WALL_MS + 7, type(record).__name__)
    assert len(line) == len(fields(record)) + len(LINE_FIELDS), "a field was lost or overwritten"


def test_words_are_values_and_money_is_text(tmp_path: Path) -> None:
    moved, filled, row = lines_of(tmp_path, [transition(), fill(fee="0.10"), booked(amount="-0.070")])
    assert (moved["from_state"], moved["to_state"], moved["fsm_event"]) == ("ACTIVE", "DEGRADED", "TRUST_LOST")
    assert moved["reason"] == "feed_stale"
    inner = filled["fill"]
    assert isinstance(inner, dict) and inner["fee"] == "0.10" and inner["side"] == "BUY"
    assert row["amount"] == "-0.070" and row["venue_at_ms"] == WALL_MS


def test_transition_and_mismatch_name_their_evidence(tmp_path: Path) -> None:
    moved, quiet, found = lines_of(tmp_path, [transition(), transition(bundle=""), mismatch()])
    assert moved["evidence_ref"] == "transition/20240718T235959.877Z-0123abcd-70"
    assert found["evidence_ref"] == "mismatch/20240718T235959.877Z-0123abcd-71"
    assert quiet["evidence_ref"] == NO_EVIDENCE and "bundle" not in quiet


def test_what_an_operator_waits_for_is_written_at_once() -> None:
    log = HeardLog()
    urgent: list[Record] = [transition(), edge(is_open=False), mismatch(), note("rate_banned", "", Severity.CRITICAL)]
    LogSink(log).take(header(1), [*urgent, sent(), fill(), note("operator", "", Severity.WARN)])
    assert [important for _, important in log.heard] == [True] * 4 + [False] * 3


def test_looking_at_the_state_writes_nothing() -> None:
    log = HeardLog()
    LogSink(log).gauge(engine_state())
    assert log.heard == []


def test_one_line_per_transition_of_every_pair_of_states(tmp_path: Path) -> None:
    moves: list[Record] = [transition(a, b) for a in FsmState for b in FsmState]
    lines = lines_of(tmp_path, moves)
    expected = [(m.from_state.value, m.to_state.value) for m in moves if isinstance(m, Transition)]
    assert [(line["from_state"], line["to_state"]) for line in lines] == expected
