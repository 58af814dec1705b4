"""A slice of a journal as two text files of a bundle: the checkpoint it begins at, its rows, and what it must come to.

Written by triage, read by replay as if it were a journal. It believes no file: bounds, order and digests are checked,
nothing is executed, and nothing outside the folder is opened.
"""

from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import msgspec

from gridops.adapters.evidence_list import read_plain
from gridops.adapters.journal_reader import JournalMeta, JournalReader
from gridops.domain.rules import Rules
from gridops.errors import EvidenceError, JournalError
from gridops.runtime import codec
from gridops.runtime.engine import Engine
from gridops.runtime.ports_journal import CheckpointRow, InputRow
from gridops.runtime.state import EngineState
from gridops.runtime.state_codec import decode_state

SLICE, ROWS = "slice.json", "journal.jsonl"
MOST_ROWS = 20_000
MOST_BYTES = 100_000_000
VERSION = 1


class Opening(msgspec.Struct):
    """The checkpoint before the first row; absent where the slice begins with the journal."""

    seq: int
    wall_ms: int
    state: str
    state_digest: str
    records_digest: str


class SliceFile(msgspec.Struct):
    """What `slice.json` holds. The closing digests are those of the engine after the last row."""

    version: int
    account: str
    instance: str
    created_ms: int
    build: str
    from_seq: int
    to_seq: int
    rows: int
    opening: Opening | None
    state_digest: str
    records_digest: str


class _Line(msgspec.Struct):
    seq: int
    wall_ms: int
    kind: str
    body: str


_LINE = msgspec.json.Decoder(_Line)
_FILE = msgspec.json.Decoder(SliceFile)


def cut(reader: JournalReader, since_ms: int) -> dict[str, bytes]:
    """The files of a slice from the checkpoint before `since_ms` to the newest row, at most MOST_ROWS back.

    JournalError when it is empty or does not replay with this build: then there is nothing to prove.
    """
    newest = reader.last_row()
    if newest is None:
        raise JournalError("the journal has no rows yet", hint="`gridops run` writes them")
    oldest = next(iter(reader.rows(0, newest.seq)))
    first = max(oldest.seq, newest.seq - MOST_ROWS, _row_at(reader, oldest.seq, newest.seq, since_ms))
    before = reader.checkpoint_at(first)
    rows = list(reader.rows(oldest.seq if before is None else before.seq + 1, newest.seq))
    if not rows and before is not None:
        before = reader.checkpoint_at(before.seq - 1)
        rows = list(reader.rows(oldest.seq if before is None else before.seq + 1, newest.seq))
    return _files(reader.meta(), before, rows)


def _files(meta: JournalMeta, before: CheckpointRow | None, rows: list[InputRow]) -> dict[str, bytes]:
    engine = _engine(before)
    for row in rows:
        stored = codec.decode_row(row.body)
        engine.handle(stored.header, codec.event_of(stored))
    end = engine.checkpoint()
    told = SliceFile(
        version=VERSION,
        account=meta.account,
        instance=meta.instance,
        created_ms=meta.created_ms,
        build=meta.build or "",
        from_seq=rows[0].seq,
        to_seq=rows[-1].seq,
        rows=len(rows),
        opening=None
        if before is None
        else Opening(
            seq=before.seq, wall_ms=before.wall_ms, state=before.state.decode(), state_digest=before.state_digest,
            records_digest=before.records_digest,
        ),
        state_digest=end.state_digest,
        records_digest=end.records_digest,
    )  # fmt: skip
    lines = (msgspec.json.encode(_Line(row.seq, row.wall_ms, row.kind, row.body.decode())) for row in rows)
    return {SLICE: msgspec.json.encode(told) + b"\n", ROWS: b"\n".join(lines) + b"\n"}


def _engine(before: CheckpointRow | None) -> Engine:
    if before is None:
        return Engine(EngineState(rules=Rules(symbols=())))
    return Engine(decode_state(before.state), records_digest=before.records_digest)


def _row_at(reader: JournalReader, low: int, high: int, since_ms: int) -> int:
    """Number of the first row not older than `since_ms`, by bisection: wall time grows with the number."""
    while low < high:
        middle = (low + high) // 2
        row = _one(reader, middle, high)
        if row is not None and row.wall_ms < since_ms:
            low = middle + 1
        else:
            high = middle
    return low


def _one(reader: JournalReader, seq: int, high: int) -> InputRow | None:
    """The row of this number, or the next few: numbers may have gaps where a torn tail was cut."""
    return next(iter(reader.rows(seq, min(high, seq + 8))), None)


class SliceReader:
    """A slice, read with the journal reader's words. EvidenceError when it is none."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        try:
            self._said = _FILE.decode(read_plain(folder / SLICE, MOST_BYTES))
            raw = read_plain(folder / ROWS, MOST_BYTES)
            self._rows = [_row(line) for line in raw.splitlines()]
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise EvidenceError(
                f"{folder} holds no journal slice: {type(error).__name__}",
                hint="`gridops triage --bundle` writes one; check it with `gridops evidence verify`",
            ) from None
        self._check()

    def __enter__(self) -> "SliceReader":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def meta(self) -> JournalMeta:
        said = self._said
        return JournalMeta(
            account=said.account, instance=said.instance, created_ms=said.created_ms, next_run=0, schema_version=0,
            build=said.build,
        )  # fmt: skip

    def last_row(self) -> InputRow | None:
        return self._rows[-1]

    def rows(self, from_seq: int, to_seq: int) -> Iterator[InputRow]:
        return (row for row in self._rows if from_seq <= row.seq <= to_seq)

    def checkpoints(self) -> list[tuple[int, str, str]]:
        """What the slice must come to, as a checkpoint of its last row."""
        return [(self._said.to_seq, self._said.state_digest, self._said.records_digest)]

    def checkpoint_at(self, seq: int) -> CheckpointRow | None:
        opening = self._said.opening
        if opening is None or opening.seq > seq:
            return None
        return CheckpointRow(
            opening.seq, opening.wall_ms, opening.state.encode(), opening.state_digest, opening.records_digest
        )

    def _check(self) -> None:
        said, rows = self._said, self._rows
        numbers = [row.seq for row in rows]
        opening = said.opening
        fits = (
            said.version == VERSION
            and len(rows) == said.rows > 0
            and (numbers[0], numbers[-1]) == (said.from_seq, said.to_seq)
            and all(one < other for one, other in pairwise(numbers))
            and (opening is None or opening.seq < said.from_seq)
            and (opening is None or sha256(opening.state.encode()).hexdigest() == opening.state_digest)
        )
        if not fits:
            raise EvidenceError(
                f"the journal slice in {self.path} does not fit itself", hint="`gridops evidence verify` names the file"
            )


def _row(line: bytes) -> InputRow:
    said = _LINE.decode(line)
    return InputRow(said.seq, said.wall_ms, said.kind, said.body.encode())
