"""The lifecycle as a journal tells it: the last checkpoint's state machine and levels, and the tail folded on top.

Read-only, and as quick on a million rows as on ten: one checkpoint, at most its tail, and a short look back for
transitions. It re-runs no step and decides nothing.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from gridops.adapters.journal_reader import JournalReader
from gridops.decide import fsm, levels
from gridops.domain.events import Boot, Header
from gridops.domain.records import ConditionEdge, Record, Transition
from gridops.domain.values import record
from gridops.errors import JournalError
from gridops.runtime import codec
from gridops.runtime.ports_journal import InputRow

LOOK_BACK_ROWS = 4_000
SHOWN_MOVES = 8
_TELLING = (b'"Transition"', b'"ConditionEdge"')


@record
class MoveSeen:
    """One transition, as journaled; `at_ms` is UTC unix time."""

    seq: int
    at_ms: int
    move: Transition


@record
class Lifecycle:
    """The state machine as of the newest row. Times named `_ms` without a word are UTC unix milliseconds."""

    memory: fsm.FsmMemory
    held: levels.Levels
    boot_to_wall_ms: int
    """Add to a boot-clock time of the newest boot to get UTC unix milliseconds."""
    seq: int
    as_of_ms: int
    run_id: str
    armed: bool
    moves: tuple[MoveSeen, ...]


class _Identity(msgspec.Struct):
    run_id: str = ""
    armed: bool = False


class _Peek(msgspec.Struct):
    """The few fields of the engine's state that are wanted; the rest of a checkpoint is passed over."""

    fsm: fsm.FsmMemory
    levels: dict[str, levels.Level]
    identity: _Identity
    seq: int
    now_ms: int
    wall_ms: int


_PEEK = msgspec.json.Decoder(_Peek)


def read(path: Path) -> Lifecycle | None:
    """The lifecycle of this journal; None when it has no row yet. JournalError when it cannot be read."""
    with JournalReader(path) as journal:
        newest = journal.last_row()
        if newest is None:
            return None
        checkpoint = journal.last_checkpoint()
        fold = _Fold(None if checkpoint is None else _peek(checkpoint.state))
        for row in journal.rows(0 if checkpoint is None else checkpoint.seq + 1, newest.seq):
            fold.take(row)
        moves = _moves(journal.rows(max(0, newest.seq - LOOK_BACK_ROWS), newest.seq))
        return fold.result(newest, moves)


class _Fold:
    def __init__(self, start: _Peek | None) -> None:
        self._first = start is None
        self._memory = fsm.FsmMemory() if start is None else start.fsm
        self._levels: levels.Levels = {} if start is None else start.levels
        self._identity = _Identity() if start is None else start.identity

    def take(self, row: InputRow) -> None:
        if row.kind != Boot.__name__ and not _tells(row.body):
            return
        stored = codec.decode_row(row.body)
        now_ms = stored.header.boot_ns // 1_000_000
        if row.kind == Boot.__name__:
            event = codec.event_of(stored)
            assert isinstance(event, Boot)
            self._boot(event, now_ms)
        for said in codec.records_of(stored):
            self._apply(said, now_ms)

    def result(self, newest: InputRow, moves: tuple[MoveSeen, ...]) -> Lifecycle:
        header: Header = codec.decode_row(newest.body).header
        return Lifecycle(
            memory=self._memory,
            held=self._levels,
            boot_to_wall_ms=header.wall_ms - header.boot_ns // 1_000_000,
            seq=newest.seq,
            as_of_ms=newest.wall_ms,
            run_id=self._identity.run_id,
            armed=self._identity.armed,
            moves=moves,
        )

    def _boot(self, boot: Boot, now_ms: int) -> None:
        self._memory = fsm.boot(None if self._first else self._memory, boot.rules.stop_mode, now_ms)
        self._first = False
        levels.rebase(self._levels, now_ms)
        self._identity = _Identity(run_id=boot.run_id, armed=boot.armed)

    def _apply(self, said: Record, now_ms: int) -> None:
        match said:
            case Transition():
                move = fsm.Move(said.from_state, said.to_state, said.event, said.reason, said.detail)
                fsm.apply(self._memory, move, now_ms)
            case ConditionEdge():
                key = levels.level_key(said.reason, said.scope)
                if said.open:
                    self._levels[key] = levels.Level(said.reason, said.scope, now_ms, said.detail)
                else:
                    self._levels.pop(key, None)
            case _:
                pass


def _moves(rows: Iterable[InputRow]) -> tuple[MoveSeen, ...]:
    """The newest transitions, newest first."""
    found = [
        MoveSeen(seq=row.seq, at_ms=row.wall_ms, move=said)
        for row in rows
        if _TELLING[0] in row.body
        for said in codec.records_of(codec.decode_row(row.body))
        if isinstance(said, Transition)
    ]
    return tuple(reversed(found[-SHOWN_MOVES:]))


def _tells(body: bytes) -> bool:
    return any(word in body for word in _TELLING)


def _peek(state: bytes) -> _Peek:
    try:
        return _PEEK.decode(state)
    except msgspec.MsgspecError as error:
        raise JournalError(
            f"the checkpoint is not readable by this build: {error}", hint="use the build that wrote it"
        ) from error
