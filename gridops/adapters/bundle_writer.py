"""Evidence as the engine orders it: rows of the journal's ring become the files of a bundle, written in the background.

Implements the runtime's Bundles port over `evidence_queue`. It never waits and never raises towards the loop: a bundle
that cannot be built or written comes back as an input, and so does the first one that succeeds again.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from gridops.adapters.evidence_files import Bundle, EvidenceWriter
from gridops.adapters.evidence_queue import EvidenceQueue
from gridops.domain.effects import WriteBundle
from gridops.domain.events import SinkReport
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.records import Booked, ConditionEdge, MismatchSeen, Note, Record, Remedied, ShadowEdge, Transition
from gridops.errors import EvidenceError
from gridops.runtime import codec

INPUTS, RECORDS = "inputs.jsonl", "records.jsonl"
_SHOWN = 20
"""Newest telling records repeated in the summary."""
_TELLING = (Transition, ConditionEdge, ShadowEdge, MismatchSeen, Note, Booked, Remedied)

NEXT: dict[EvidenceMode, tuple[str, ...]] = {
    EvidenceMode.TRANSITION: ("gridops fsm show", "gridops evidence list"),
    EvidenceMode.KILL: ("gridops fsm show", "gridops fsm ack --reason TEXT   once the account is flat"),
    EvidenceMode.MISMATCH: ("gridops fsm show", "gridops replay"),
    EvidenceMode.RUN: ("gridops replay", "gridops evidence verify"),
}
_NEXT_ANYWAY = ("gridops fsm show", "gridops evidence verify")


class Counted(Protocol):
    """What counts bundles, from any thread."""

    def evidence_written(self, mode: EvidenceMode, status: EvidenceStatus) -> None: ...
    def evidence_failed(self) -> None: ...


class BundleSink:
    """Builds and queues the bundles of one run.

    `report` gets a SinkReport when writing begins to fail and when it works again; it is called from the writer's
    thread.
    """

    def __init__(
        self,
        writer: EvidenceWriter,
        *,
        context: Mapping[str, object],
        report: Callable[[SinkReport], None],
        counted: Counted | None = None,
        limit: int = 256,
    ) -> None:
        self._context = dict(context)
        self._report, self._counted = report, counted
        self._failing = False
        self._gate = threading.Lock()
        self._writer = writer
        self._queue = EvidenceQueue(writer, limit=limit, on_done=self._done, on_failure=self._lost)

    def write(self, order: WriteBundle, rows: Sequence[bytes]) -> None:
        """Queue the bundle an effect asked for; `rows` are canonical journal rows, oldest first."""
        try:
            bundle = build(order, rows, self._context, run8=self._writer.run8)
        except Exception as error:  # evidence that cannot be built must not stop what it is about
            self._failed(f"{order.name}: {error}")
        else:
            self._queue.put(bundle)

    def put(self, bundle: Bundle) -> bool:
        """Queue a bundle built elsewhere, such as the run's own; False when it was refused."""
        return self._queue.put(bundle)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Write what waits. False if the disk did not finish in time."""
        return self._queue.close(timeout_s)

    def _done(self, bundle: Bundle, ref: EvidenceRef) -> None:
        with self._gate:
            recovered, self._failing = self._failing, False
        if self._counted is not None:
            self._counted.evidence_written(ref.mode, ref.status)
        if recovered:
            self._report(SinkReport(sink="evidence", ok=True, detail=f"{bundle.mode} written"))

    def _lost(self, bundle: Bundle, error: Exception) -> None:
        self._failed(f"{bundle.mode} {bundle.reason}: {error}")

    def _failed(self, detail: str) -> None:
        with self._gate:
            news, self._failing = not self._failing, True
        if self._counted is not None:
            self._counted.evidence_failed()
        if news:
            self._report(SinkReport(sink="evidence", ok=False, detail=detail[:200]))


def build(order: WriteBundle, rows: Sequence[bytes], context: Mapping[str, object], *, run8: str) -> Bundle:
    """The bundle of one order, from the rows with a sequence number of `from_seq` up to the order's own.

    Raises:
        EvidenceError: the order's name is not one that the writer would choose for its time and run.
        JournalError: a row is not readable.
    """
    mode, seq = EvidenceMode(order.mode), _name_seq(order, run8)
    inputs, records, told = bytearray(), bytearray(), []
    for body in rows:
        row = codec.decode_row(body)
        if not order.from_seq <= row.header.seq <= order.seq:
            continue
        inputs += _line(row.header.seq, row.header.wall_ms, row.kind, row.event)
        for kind, raw in row.records:
            records += _line(row.header.seq, row.header.wall_ms, kind, raw)
        told += [(row.header.seq, record) for record in codec.records_of(row) if isinstance(record, _TELLING)]
    facts = dict(order.facts)
    return Bundle(
        mode=mode,
        status=EvidenceStatus(order.status),
        reason=order.reason,
        at_ms=order.at_ms,
        seq=seq,
        summary_text=summary_text(order, told),
        summary={**facts, "title": order.title, "input_seq": order.seq, "from_seq": order.from_seq},
        files={INPUTS: bytes(inputs), RECORDS: bytes(records)},
        context=dict(context),
    )


def summary_text(order: WriteBundle, told: Sequence[tuple[int, Record]]) -> str:
    """What a person reads first: what happened, the figures, what was said before it, what to run next."""
    lines = [order.title, "", f"bundle   {order.name}", f"status   {order.status}", f"reason   {order.reason}"]
    lines += [f"input    {order.seq} (rows from {order.from_seq} on are enclosed)", "", "facts"]
    lines += [f"  {name}: {held}" for name, held in order.facts] or ["  none"]
    lines += ["", "said before it, oldest first"]
    lines += [f"  {seq}  {_told(record)}" for seq, record in told[-_SHOWN:]] or ["  nothing"]
    lines += ["", "next"]
    lines += [f"  {command}" for command in NEXT.get(EvidenceMode(order.mode), _NEXT_ANYWAY)]
    return "\n".join(lines)


def _name_seq(order: WriteBundle, run8: str) -> int:
    """The number in the folder's name: more than one bundle may come from one input."""
    stem, _, number = order.name.rpartition("-")
    if not number.isdigit() or not stem.endswith(f"-{run8}"):
        raise EvidenceError(f"the bundle {order.name!r} was not named by run {run8}")
    return int(number)


def _line(seq: int, wall_ms: int, kind: str, raw: msgspec.Raw) -> bytes:
    return codec.encode({"seq": seq, "at_ms": wall_ms, "kind": kind, "data": raw}) + b"\n"


def _told(record: Record) -> str:
    match record:
        case Transition():
            return f"{record.from_state} -> {record.to_state} by {record.event}: {record.reason} {record.detail}"
        case ConditionEdge():
            return f"{record.reason} of {record.scope} {'opened' if record.open else 'closed'}: {record.detail}"
        case ShadowEdge():
            would = "would have opened" if record.open else "would have closed"
            return f"shadow: {record.reason} of {record.scope} {would}: {record.detail}"
        case MismatchSeen():
            return f"{record.kind} {record.symbol} {record.key}: local {record.local}, venue {record.venue}"
        case Note():
            return f"{record.severity} {record.topic}: {record.detail}"
        case Booked():
            return f"{record.kind} {record.amount} {record.asset} {record.symbol}"
        case Remedied():
            return f"{record.remedy} {record.outcome} {record.symbol} {record.key}: {record.detail}"
        case _:
            return type(record).__name__
