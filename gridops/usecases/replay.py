"""Re-run a journal through the real step and compare: every row's bytes, every checkpoint's state and records digest.

Reads the journal beside a living engine or after its death and writes nothing into it. It stops at the first row that
does not come out as it was recorded.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from gridops import __version__
from gridops.adapters.journal_reader import JournalReader
from gridops.domain.events import Event, Header
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.rules import Rules
from gridops.domain.values import record
from gridops.errors import JournalError
from gridops.runtime import codec
from gridops.runtime.engine import Engine
from gridops.runtime.ports_journal import InputRow
from gridops.runtime.state import EngineState
from gridops.runtime.state_codec import decode_state, encode_state
from gridops.runtime.step import Step
from gridops.usecases.command_evidence import Story, write
from gridops.usecases.triage_slice import SliceReader

_AROUND = 80


class Observer(Protocol):
    """Somebody who looks on while a journal is re-run. It may read the engine and must not change it."""

    def before(self, engine: Engine, row: InputRow, header: Header, event: Event) -> None:
        """The engine is about to take this row in."""

    def after(self, engine: Engine, header: Header, done: Step) -> None:
        """It has, and this came of it."""

    def files(self) -> Mapping[str, bytes]:
        """What is kept of it in the bundle."""


@record
class Divergence:
    """Where the replay first says something else. `what` is `row`, `state` or `records`."""

    seq: int
    kind: str
    what: str
    journaled: str
    replayed: str


@record
class ReplayReport:
    journal: str
    account: str
    build: str
    journal_build: str
    from_seq: int
    to_seq: int
    rows: int
    checkpoints: int
    """Checkpoints whose two digests were compared."""
    records_digest: str
    state_digest: str
    divergence: Divergence | None
    evidence: EvidenceRef

    @property
    def ok(self) -> bool:
        return self.divergence is None


def execute(journal: Path, evidence_root: Path, observer: Observer | None = None) -> ReplayReport:
    """Replay a whole journal, or the slice in a bundle. JournalError when it cannot be read or has no rows."""
    with SliceReader(journal) if journal.is_dir() else JournalReader(journal) as reader:
        meta = reader.meta()
        newest = reader.last_row()
        if newest is None:
            raise JournalError(f"{journal} has no rows yet", hint="`gridops run` writes them")
        replay = _Replay(reader, observer)
        found = replay.run(newest.seq)
    records_digest, state_digest = replay.engine.records_digest, _digest(replay.engine.state)
    facts = {
        "journal": str(journal),
        "account": meta.account,
        "rows": replay.rows,
        "checkpoints": replay.compared,
        "records_digest": records_digest,
        "state_digest": state_digest,
        "build": __version__,
        "journal_build": meta.build or "",
    }
    return ReplayReport(
        journal=str(journal),
        account=meta.account,
        build=__version__,
        journal_build=meta.build or "",
        from_seq=replay.first_seq,
        to_seq=newest.seq,
        rows=replay.rows,
        checkpoints=replay.compared,
        records_digest=records_digest,
        state_digest=state_digest,
        divergence=found,
        evidence=write(evidence_root, _story(facts, found, observer)),
    )


class _Replay:
    def __init__(self, reader: JournalReader | SliceReader, observer: Observer | None) -> None:
        self._reader, self._observer = reader, observer
        self._checkpoints = {seq: (state, records) for seq, state, records in reader.checkpoints()}
        self.engine, self.first_seq = self._start()
        self.rows = self.compared = 0

    def run(self, to_seq: int) -> Divergence | None:
        for row in self._reader.rows(self.first_seq, to_seq):
            found = self._row(row)
            if found is not None:
                return found
        return None

    def _start(self) -> tuple[Engine, int]:
        """From the first row; where the oldest segments were archived, from the checkpoint that opens what is left."""
        first = next(self._reader.rows(0, 1 << 62))
        before = self._reader.checkpoint_at(first.seq - 1)
        if before is None:
            return Engine(EngineState(rules=Rules(symbols=()))), first.seq
        return Engine(decode_state(before.state), records_digest=before.records_digest), before.seq + 1

    def _row(self, row: InputRow) -> Divergence | None:
        stored = codec.decode_row(row.body)
        event = codec.event_of(stored)
        if self._observer is not None:
            self._observer.before(self.engine, row, stored.header, event)
        done, body = self.engine.handle(stored.header, event)
        if self._observer is not None:
            self._observer.after(self.engine, stored.header, done)
        self.rows += 1
        if body != row.body:
            journaled, replayed = _first_difference(row.body, body)
            return Divergence(seq=row.seq, kind=row.kind, what="row", journaled=journaled, replayed=replayed)
        return self._checkpoint(row)

    def _checkpoint(self, row: InputRow) -> Divergence | None:
        kept = self._checkpoints.get(row.seq)
        if kept is None:
            return None
        now = self.engine.checkpoint()
        self.compared += 1
        for what, journaled, replayed in (
            ("state", kept[0], now.state_digest),
            ("records", kept[1], now.records_digest),
        ):
            if journaled != replayed:
                return Divergence(seq=row.seq, kind=row.kind, what=what, journaled=journaled, replayed=replayed)
        return None


def _digest(state: EngineState) -> str:
    return sha256(encode_state(state)).hexdigest()


def _first_difference(one: bytes, other: bytes) -> tuple[str, str]:
    """Both texts around the first byte in which they differ."""
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = max(0, at - _AROUND // 2)
    cut = slice(start, at + _AROUND)
    return one[cut].decode("utf-8", "replace"), other[cut].decode("utf-8", "replace")


def _story(facts: dict[str, object], found: Divergence | None, observer: Observer | None) -> Story:
    files = observer.files() if observer is not None else {}
    if found is None:
        return Story(
            mode=EvidenceMode.REPLAY,
            status=EvidenceStatus.OK,
            reason="equal",
            title="the replay says what the journal says",
            facts=facts,
            files=files,
        )
    seen = {"seq": found.seq, "kind": found.kind, "journaled": found.journaled, "replayed": found.replayed}
    return Story(
        mode=EvidenceMode.REPLAY,
        status=EvidenceStatus.FINDING,
        reason=f"{found.what}_differs",
        title=f"input {found.seq} ({found.kind}): the {found.what} differs",
        facts={**facts, **seen},
        files=files,
    )
