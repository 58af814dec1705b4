"""Records as log lines: one JSON object per record, numbered by the input that caused it.

A sink of the engine beside the metrics and the evidence, joined to both by `seq`. It names and spells fields; it drops
nothing, judges nothing, and leaves the disk to `log_json`.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Protocol, get_args

from gridops.domain.events import Header
from gridops.domain.records import Booked, ConditionEdge, MismatchSeen, Note, Record, ShadowEdge, Transition
from gridops.domain.vocabulary import Severity
from gridops.runtime.state import EngineState

NO_EVIDENCE = "none"
"""`evidence_ref` of a record that ordered no bundle; every other value is a folder below the evidence root."""

LINE_FIELDS = frozenset({"seq", "at_ms", "event"})
"""Of the line itself: number and wall time (unix ms) of the input, and the record's type."""
_SPELLED: dict[tuple[type[object], str], str] = {
    (Transition, "event"): "fsm_event",
    (Booked, "at_ms"): "venue_at_ms",
    (Transition, "bundle"): "evidence_ref",
    (MismatchSeen, "bundle"): "evidence_ref",
}


class Log(Protocol):
    """What takes a line over without waiting."""

    def write(self, record: dict[str, object], *, important: bool = False) -> None: ...


class LogSink:
    """One line per record; what an operator waits for is written at once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._plans = {kind: _plan(kind) for kind in get_args(Record)}

    def take(self, header: Header, records: Sequence[Record]) -> None:
        for record in records:
            self._log.write(self._line(header, record), important=_important(record))

    def gauge(self, state: EngineState) -> None:
        """Nothing: the log holds edges, not levels."""

    def _line(self, header: Header, record: Record) -> dict[str, object]:
        kind = type(record)
        line: dict[str, object] = {"seq": header.seq, "at_ms": header.wall_ms, "event": kind.__name__}
        for name, spelled in self._plans[kind]:
            line[spelled] = getattr(record, name)
        if line.get("evidence_ref") == "":
            line["evidence_ref"] = NO_EVIDENCE
        return line


def _plan(kind: type[Record]) -> tuple[tuple[str, str], ...]:
    plan = tuple((field.name, _SPELLED.get((kind, field.name), field.name)) for field in fields(kind))
    taken = LINE_FIELDS.intersection(spelled for _, spelled in plan)
    assert not taken, f"{kind.__name__} would overwrite {sorted(taken)} of its own line"
    return plan


def _important(record: Record) -> bool:
    if isinstance(record, Note):
        return record.severity is Severity.CRITICAL
    return isinstance(record, Transition | ConditionEdge | ShadowEdge | MismatchSeen)
