"""B4: one engine step that moves the whole ladder of 20 levels: CPU per order operation, encoding and commit included.

The mid moves less than the first rung's distance and the hold band is zero, so that all 20 rungs are amended in one
step. Process CPU, the journal's thread included; the wait for the disk is not CPU.
"""

import tempfile
import threading
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
from gridops.adapters.journal_sqlite import SqliteJournal, open_journal
from gridops.domain.effects import Effect
from gridops.domain.events import Event, Header, OrderReport, WriteReply
from gridops.runtime.ports_journal import Token
from gridops.runtime.step import Step
from tests.bench import machine_speed
from tests.bench.instant_venue import MID_TICKS, Rig
from tests.bench.table import Result, timed, times, us
from tests.bench.timing import Work, interleave

MOVED_TICKS = 40
"""A third of the spacing."""
AIM_US = 23
PEER = "nautilus amend path: 460 us per order operation"
_encode = msgspec.json.Encoder(decimal_format="string").encode


def run() -> list[Result]:
    """The step alone, the step with its durable commit, and what the answers cost afterwards."""
    bare, kept = Ladder(), Ladder()
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(Path(folder) / "b4.db")
        try:
            sides = {
                "step": bare.moving,
                "commit": lambda: kept.moving(disk),
                "floor": lambda: _floor_side(kept.last),
                "replies": bare.replying,
                "reports": bare.reporting,
                "machine": machine_speed.side,
            }
            measured = interleave(sides, rounds=40, cpu=time.process_time_ns)
        finally:
            disk.journal.close()
    commit, floor = measured["commit"], measured["floor"]
    factor = measured["machine"] / machine_speed.THERE_NS
    return [
        Result(
            row="B4",
            what="whole ladder moved, encoded and committed, per order operation",
            here=us(commit),
            against=f"the same row encoded and hashed, nothing decided: {us(floor)}",
            ratio=times(commit / floor),
            aim=f"<= {AIM_US} us",
            peer=PEER,
            met=commit <= AIM_US * 1_000,
            took_ns=commit,
            aim_ns=AIM_US * 1_000,
            factor=factor,
        ),
        timed("B4", "of that, the step and its encoding", measured["step"], factor),
        timed("B4", "afterwards, one reply to an amend taken in", measured["replies"], factor),
        timed("B4", "afterwards, one stream report taken in", measured["reports"], factor),
    ]


class Disk:
    """A journal whose commits can be waited for without spinning."""

    def __init__(self, path: Path) -> None:
        self.journal: SqliteJournal = open_journal(path, account="bench", clock_ms=lambda: 0, instance="bench000")
        self._settled = threading.Event()
        self.journal.on_commit(self._on_commit)

    def _on_commit(self, _token: Token) -> None:
        self._settled.set()

    def wait(self, token: Token) -> None:
        while not token.done():
            self._settled.wait(1.0)
            self._settled.clear()


class Ladder:
    """A rig whose ladder moves up and down by turns; answers are taken in the rounds that time them."""

    def __init__(self) -> None:
        self.rig = Rig(hold_band_pct=0)
        self.rig.boot()
        self.last: tuple[Header, Event, Step] | None = None
        self._sent: Sequence[Effect] = ()
        self._up = False

    def moving(self, disk: Disk | None = None) -> Work:
        """Time one step that amends every level; what an earlier one left open is settled first."""
        self._answer()
        self.rig.settle(())
        self.rig.refresh()
        self._up = not self._up
        header = self.rig.header(20)
        event = self.rig.view(MID_TICKS + (MOVED_TICKS if self._up else 0), 1)
        engine = self.rig.engine

        def work() -> int:
            done, body = engine.handle(header, event)
            if disk is not None:
                disk.wait(engine.record(disk.journal, header, event, done, body))
            self.last, self._sent = (header, event, done), done.effects
            return done_ops(done)

        return work

    def _answer(self) -> None:
        """The venue's part, which is not the engine's to pay for."""
        self.rig.answer(self._sent)
        self._sent = ()

    def replying(self) -> Work:
        """Time the replies to the amends that `moving` sent."""
        self._answer()
        self._replies = [each for each in self.rig.answers() if isinstance(each, WriteReply)]
        return lambda: self._taken(self._replies)

    def reporting(self) -> Work:
        """Time the user stream's reports of the same amends, which come after the replies here."""
        reports = [self.rig.report(each) for each in self._replies]
        return lambda: self._taken(reports)

    def _taken(self, events: list[WriteReply] | list[OrderReport]) -> int:
        for event in events:
            self.rig.answer(self.rig.take(event, 1)[0].effects)
        return len(events)


def _floor_side(last: tuple[Header, Event, Step] | None) -> Work:
    assert last is not None
    header, event, done = last

    def work() -> int:
        sha256(_encode((header, event, done.records, done.effects))).digest()
        return done_ops(done)

    return work


def done_ops(done: Step) -> int:
    """Order operations that a step sends."""
    return sum(len(getattr(effect, "ops", ())) for effect in done.effects)
