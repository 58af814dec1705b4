"""Show the lifecycle: state, since when and why, open levels, last transitions, with the age of what is shown.

Works on a live, hung or dead engine and says which. Reads the journal and asks the control socket; changes nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gridops.adapters.clock import Clock
from gridops.adapters.kill_latch import KillLatch
from gridops.decide.clearing import CLEARED_BY, STATE_ENDS
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef
from gridops.domain.values import record
from gridops.domain.vocabulary import FsmReason, FsmState
from gridops.usecases import journal_fsm
from gridops.usecases.command_evidence import newest
from gridops.usecases.journal_fsm import Lifecycle
from gridops.usecases.liveness import Process, Pulse, feel
from gridops.usecases.place import Place


@record
class LevelSeen:
    reason: str
    scope: str
    since_ms: int
    held_ms: int
    detail: str
    clears_by: str
    """What closes it, in an operator's words; empty for a condition this build does not know."""


@record
class FsmReport:
    """`as_of_ms` is when the newest thing shown was true; `stale` says that nobody vouches for it now."""

    home: str
    home_source: str
    account: str
    process: str
    pid: int | None
    process_detail: str
    as_of_ms: int
    age_ms: int
    stale: bool
    state: str
    since_ms: int
    in_state_ms: int
    last_from: str
    last_event: str
    last_reason: str
    last_detail: str
    epoch: int
    armed: bool
    run_id: str
    seq: int
    kill_latch: str
    state_ends: str
    """What ends the state itself once no level holds it; empty for one that needs no ending."""
    levels: tuple[LevelSeen, ...]
    transitions: tuple[dict[str, object], ...]
    evidence: EvidenceRef


def execute(place: Place) -> FsmReport:
    """Look once. JournalError when a journal is there and cannot be read."""
    home, account = place.home, place.account
    return build(place, feel(home, account), _journal(home.journal(account)))


def build(place: Place, pulse: Pulse, shown: Lifecycle | None) -> FsmReport:
    """The report of what the engine answered and what the journal says; None where it says nothing."""
    home, account, now_ms = place.home, place.account, Clock().wall_ms()
    live = pulse.process is Process.LIVE
    as_of_ms = now_ms if live else (shown.as_of_ms if shown else 0)
    note = KillLatch(home.kill_latch(account), clock_ms=lambda: now_ms).read()
    said = _of_engine(pulse, now_ms) or (_of_journal(shown) if shown else _NOTHING)
    return FsmReport(
        home=str(home.root),
        home_source=place.located.source,
        account=account,
        process=pulse.process.value,
        pid=pulse.pid,
        process_detail=pulse.detail,
        as_of_ms=as_of_ms,
        age_ms=max(0, now_ms - as_of_ms) if as_of_ms else 0,
        stale=not live,
        **said,
        in_state_ms=max(0, as_of_ms - said["since_ms"]),
        armed=shown.armed if shown else False,
        state_ends=_told(STATE_ENDS, said["state"]),
        kill_latch="" if note is None else f"{note.author}: {note.reason}",
        transitions=_transitions(shown),
        evidence=newest(place.evidence_root, EvidenceMode.TRANSITION, EvidenceMode.FSM),
    )


_NOTHING: dict[str, Any] = {
    "state": "", "since_ms": 0, "last_from": "", "last_event": "", "last_reason": "", "last_detail": "",
    "epoch": 0, "run_id": "", "seq": 0, "levels": (),
}  # fmt: skip


def _journal(path: Path) -> Lifecycle | None:
    return journal_fsm.read(path) if path.exists() else None


def _of_engine(pulse: Pulse, now_ms: int) -> dict[str, Any] | None:
    """What the live engine holds in memory: the same source as its metrics. None without an answer of this shape."""
    shown = (pulse.reply or {}).get("snapshot")
    if not isinstance(shown, dict):
        return None
    last = shown["last"]
    return {
        "state": shown["state"],
        "since_ms": shown["wall_ms"] - shown["since_ms"],
        "last_from": last["from"] or "",
        "last_event": last["event"] or "",
        "last_reason": last["reason"] or "",
        "last_detail": last["detail"],
        "epoch": shown["state_epoch"],
        "run_id": shown["run_id"],
        "seq": shown["seq"],
        "levels": tuple(_level(each, now_ms - each["held_ms"], now_ms) for each in shown["levels"]),
    }


def _of_journal(shown: Lifecycle) -> dict[str, Any]:
    memory, offset_ms = shown.memory, shown.boot_to_wall_ms
    held = sorted(shown.held.values(), key=lambda each: (each.since_ms, each.reason))
    levels = [{"reason": each.reason.value, "scope": each.scope, "detail": each.detail} for each in held]
    return {
        "state": memory.state.value,
        "since_ms": memory.since_ms + offset_ms,
        "last_from": str(memory.last_from or ""),
        "last_event": str(memory.last_event or ""),
        "last_reason": str(memory.last_reason or ""),
        "last_detail": memory.last_detail,
        "epoch": memory.epoch,
        "run_id": shown.run_id,
        "seq": shown.seq,
        "levels": tuple(
            _level(level, each.since_ms + offset_ms, shown.as_of_ms) for level, each in zip(levels, held, strict=True)
        ),
    }


def _level(said: dict[str, Any], since_ms: int, as_of_ms: int) -> LevelSeen:
    return LevelSeen(
        reason=said["reason"],
        scope=said["scope"],
        since_ms=since_ms,
        held_ms=max(0, as_of_ms - since_ms),
        detail=said["detail"],
        clears_by=_told(CLEARED_BY, said["reason"]),
    )


def _told(words: Mapping[FsmReason, str] | Mapping[FsmState, str], name: str) -> str:
    """The words for a name; none for one that another build's engine uses and this one does not know."""
    return next((text for member, text in words.items() if member.value == name), "")


def _transitions(shown: Lifecycle | None) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            "seq": each.seq,
            "at_ms": each.at_ms,
            "from": each.move.from_state.value,
            "to": each.move.to_state.value,
            "event": each.move.event.value,
            "reason": each.move.reason.value,
            "detail": each.move.detail,
            "bundle": each.move.bundle,
        }
        for each in (shown.moves if shown else ())
    )
