"""What the journal's newest rows tell: transitions, decisions by reason, refusals and round trips since a moment.

Bounded by rows, whatever the moment asked for: it says from where it looked. Only the few records wanted are decoded.
"""

from pathlib import Path

import msgspec

from gridops.adapters.journal_reader import JournalReader
from gridops.domain.values import record
from gridops.errors import JournalError

MOST_ROWS = 4_000
SHOWN = 8
_WANTED = {"Transition", "Decided", "TripClosed", "GateRefused", "OutboxRefused", "ConditionEdge"}
_MARKS = tuple(f'"{kind}"'.encode() for kind in sorted(_WANTED))


class _Row(msgspec.Struct, array_like=True):
    header: msgspec.Raw
    kind: str
    event: msgspec.Raw
    records: list[tuple[str, msgspec.Raw]]


@record
class Happened:
    """A line of the timeline."""

    at_ms: int
    seq: int
    what: str


@record
class Recent:
    """Since `from_ms`, or since the oldest row looked at when that is later (`cut`)."""

    from_ms: int
    cut: bool
    rows: int
    decisions: dict[str, int]
    refusals: dict[str, int]
    trips: tuple[Happened, ...]
    timeline: tuple[Happened, ...]


_ROW = msgspec.json.Decoder(_Row)


def read(path: Path, now_ms: int, since_s: float) -> Recent | None:
    """The newest rows not older than `since_s`; None when the journal cannot be read or has none."""
    try:
        with JournalReader(path) as reader:
            newest = reader.last_row()
            if newest is None:
                return None
            wanted_ms = now_ms - int(since_s * 1_000)
            first = max(0, newest.seq - MOST_ROWS + 1)
            return _fold(list(reader.rows(first, newest.seq)), wanted_ms)
    except (JournalError, OSError, msgspec.MsgspecError):
        return None


def _fold(rows: list[tuple[int, int, str, bytes]], wanted_ms: int) -> Recent:
    decisions: dict[str, int] = {}
    refusals: dict[str, int] = {}
    trips: list[Happened] = []
    timeline: list[Happened] = []
    shown = [row for row in rows if row[1] >= wanted_ms]
    for seq, at_ms, _, body in shown:
        if not any(mark in body for mark in _MARKS):
            continue
        for kind, raw in _ROW.decode(body).records:
            if kind in _WANTED:
                _take(kind, msgspec.json.decode(raw), decisions, refusals, trips, timeline, at_ms, seq)
    return Recent(
        from_ms=max(wanted_ms, rows[0][1]) if rows else wanted_ms,
        cut=bool(rows) and rows[0][1] > wanted_ms and rows[0][0] > 1,
        rows=len(shown),
        decisions=dict(sorted(decisions.items())),
        refusals=dict(sorted(refusals.items())),
        trips=tuple(reversed(trips[-SHOWN:])),
        timeline=tuple(reversed(timeline[-4 * SHOWN :])),
    )


def _take(
    kind: str,
    said: dict[str, object],
    decisions: dict[str, int],
    refusals: dict[str, int],
    trips: list[Happened],
    timeline: list[Happened],
    at_ms: int,
    seq: int,
) -> None:
    match kind:
        case "Decided":
            choice = said["choice"]
            assert isinstance(choice, dict)
            _count(decisions, f"{choice['decision']}/{choice['reason']}")
        case "GateRefused":
            _count(refusals, f"{said['gate']}/{said['intent']}")
        case "OutboxRefused":
            _count(refusals, f"outbox/{said.get('reason', '')}".partition(" ")[0])
        case "TripClosed":
            told = f"{said['symbol']} {said['side']} level {said['level']} net {said['net']} ({said['net_bps']} bps)"
            trips.append(Happened(at_ms=at_ms, seq=seq, what=told))
        case "Transition":
            told = f"{said['from_state']} -> {said['to_state']} by {said['event']}: {said['reason']}"
            timeline.append(Happened(at_ms=at_ms, seq=seq, what=told))
        case _:
            word = "opens" if said["open"] else "closes"
            told = f"{said['reason']} ({said['scope']}) {word} {said['detail']}".rstrip()
            timeline.append(Happened(at_ms=at_ms, seq=seq, what=told))


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
