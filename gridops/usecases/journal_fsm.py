"""The lifecycle as a journal tells it: the last checkpoint's state machine and levels, and the tail folded on top.

Read-only, and as quick on a million rows as on ten: one checkpoint, at most its tail, and a short look back for
transitions. It re-runs no step and decides nothing.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from gridops.adapters.journal_reader import JournalReader
from gridops.decide import fsm, levels
from gridops.domain.values import record
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState, StopMode
from gridops.errors import JournalError
from gridops.runtime.ports_journal import InputRow

LOOK_BACK_ROWS = 4_000
SHOWN_MOVES = 8
_BOOT, _TRANSITION, _EDGE = "Boot", "Transition", "ConditionEdge"
_TELLING = tuple(f'"{kind}"'.encode() for kind in (_TRANSITION, _EDGE))


class Moved(msgspec.Struct):
    """A journaled transition. These structs name the few fields wanted, so that no other record is ever loaded."""

    from_state: FsmState
    to_state: FsmState
    event: FsmEvent
    reason: FsmReason
    detail: str
    bundle: str


class _Edge(msgspec.Struct):
    reason: FsmReason
    scope: str
    open: bool
    detail: str


class _Rules(msgspec.Struct):
    stop_mode: StopMode


class _Boot(msgspec.Struct):
    run_id: str
    armed: bool
    rules: _Rules


class _Header(msgspec.Struct):
    wall_ms: int
    boot_ns: int


class _Row(msgspec.Struct, array_like=True):
    header: _Header
    kind: str
    event: msgspec.Raw
    records: list[tuple[str, msgspec.Raw]]


@record
class MoveSeen:
    """One transition, as journaled; `at_ms` is UTC unix time."""

    seq: int
    at_ms: int
    move: Moved


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
_ROW = msgspec.json.Decoder(_Row)


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
        if row.kind != _BOOT and not _tells(row.body):
            return
        stored = _row(row)
        now_ms = stored.header.boot_ns // 1_000_000
        if row.kind == _BOOT:
            self._boot(_typed(row, stored.event, _Boot), now_ms)
        for kind, raw in stored.records:
            if kind == _TRANSITION:
                said = _typed(row, raw, Moved)
                move = fsm.Move(said.from_state, said.to_state, said.event, said.reason, said.detail)
                fsm.apply(self._memory, move, now_ms)
            elif kind == _EDGE:
                self._edge(_typed(row, raw, _Edge), now_ms)

    def result(self, newest: InputRow, moves: tuple[MoveSeen, ...]) -> Lifecycle:
        header = _row(newest).header
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

    def _boot(self, boot: _Boot, now_ms: int) -> None:
        self._memory = fsm.boot(None if self._first else self._memory, boot.rules.stop_mode, now_ms)
        self._first = False
        levels.rebase(self._levels, now_ms)
        self._identity = _Identity(run_id=boot.run_id, armed=boot.armed)

    def _edge(self, edge: _Edge, now_ms: int) -> None:
        key = levels.level_key(edge.reason, edge.scope)
        if edge.open:
            self._levels[key] = levels.Level(edge.reason, edge.scope, now_ms, edge.detail)
        else:
            self._levels.pop(key, None)


def _moves(rows: Iterable[InputRow]) -> tuple[MoveSeen, ...]:
    """The newest transitions, newest first."""
    found = [
        MoveSeen(seq=row.seq, at_ms=row.wall_ms, move=_typed(row, raw, Moved))
        for row in rows
        if _TELLING[0] in row.body
        for kind, raw in _row(row).records
        if kind == _TRANSITION
    ]
    return tuple(reversed(found[-SHOWN_MOVES:]))


_Wanted = TypeVar("_Wanted")


def _row(row: InputRow) -> _Row:
    try:
        return _ROW.decode(row.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(f"journal row {row.seq}", error) from error


def _typed(row: InputRow, raw: msgspec.Raw, kind: type[_Wanted]) -> _Wanted:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(f"journal row {row.seq}", error) from error


def _tells(body: bytes) -> bool:
    return any(word in body for word in _TELLING)


def _peek(state: bytes) -> _Peek:
    try:
        return _PEEK.decode(state)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable("the checkpoint", error) from error


def _unreadable(what: str, error: Exception) -> JournalError:
    return JournalError(
        f"{what} of the journal is not readable by this build: {error}", hint="use the build that wrote it"
    )
