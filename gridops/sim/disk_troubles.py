"""What befalls the simulated disk: commits that fail or take long, a volume that fills up with a warning before, and
evidence that cannot be written.

Carried out for `day`, which draws when. It decides nothing about the rows; losing them is the disk's own business.
"""

from collections.abc import Callable, Sequence
from random import Random

from gridops.domain.effects import WriteBundle
from gridops.domain.events import SinkReport
from gridops.sim.memory_journal import Disk
from gridops.sim.scheduler import MS, SECOND, Scheduler

ASK_AGAIN_NS = 5 * SECOND


class SimEvidence:
    """Where bundles go: nowhere. While it fails each is lost; the first loss is reported, as the live writer does."""

    def __init__(self, tell: Callable[[SinkReport], bool], lost: Callable[[], None]) -> None:
        self._tell, self._lost = tell, lost
        self.failing = False
        self.written = self.missed = 0
        self._told = False

    def write(self, order: WriteBundle, rows: Sequence[bytes]) -> None:  # noqa: ARG002 - nobody reads them here
        """Take one order."""
        if self.failing:
            self.missed += 1
            if not self._told:
                self._told = self._tell(SinkReport(sink="evidence", ok=False, detail="no space left on device"))
            self._lost()
            return
        self.written += 1
        if self._told:
            self._told = not self._tell(SinkReport(sink="evidence", ok=True, detail=f"{order.mode} written"))

    def begin(self) -> None:
        """A process begins: it has told nobody anything."""
        self._told = False


class DiskTroubles:
    """Troubles of one disk. `tell` hands a report to the process and says whether there is one."""

    def __init__(
        self, scheduler: Scheduler, disk: Disk, evidence: SimEvidence, tell: Callable[[SinkReport], bool]
    ) -> None:
        self._scheduler, self._disk, self._evidence, self._tell = scheduler, disk, evidence, tell
        self._room = True

    def strike(self, name: str, chance: Random) -> None:
        """`disk_fails`, `disk_slow`, `disk_full` or `disk_no_evidence`."""
        _ACTS[name](self, chance)

    def well(self) -> None:
        """The disk is as it should be."""
        self._disk.failing, self._disk.slow_us = False, 0

    def _fails(self, chance: Random) -> None:
        self._disk.failing = True
        self._scheduler.after(chance.randint(50, 20_000) * MS, self.well)

    def _slow(self, chance: Random) -> None:
        self._disk.slow_us = chance.randint(20_000, 900_000)
        self._scheduler.after(chance.randint(1, 30) * SECOND, self.well)

    def _full(self, chance: Random) -> None:
        """The gauge tells first; the disk fills up unless somebody makes room before."""
        self._gauged(False)
        fills_ns, room_ns = chance.randint(1, 60) * SECOND, chance.randint(2, 120) * SECOND
        if fills_ns < room_ns:
            self._scheduler.after(fills_ns, self._fill)
        self._scheduler.after(room_ns, self.well)
        self._scheduler.after(room_ns + SECOND, lambda: self._gauged(True))

    def _no_evidence(self, chance: Random) -> None:
        self._evidence.failing = True
        self._scheduler.after(chance.randint(1, 300) * SECOND, self._evidence_well)

    def _evidence_well(self) -> None:
        self._evidence.failing = False

    def _fill(self) -> None:
        self._disk.failing = True

    def _gauged(self, room: bool) -> None:
        self._room = room
        self._look(room)

    def _look(self, room: bool) -> None:
        """A process that begins looks by itself, a while later, and sees how the disk is then, not how it was."""
        if room is self._room and not self._tell(SinkReport(sink="disk", ok=room, detail="free space")):
            self._scheduler.after(ASK_AGAIN_NS, lambda: self._look(room))


_ACTS: dict[str, Callable[[DiskTroubles, Random], None]] = {
    "disk_fails": DiskTroubles._fails,
    "disk_slow": DiskTroubles._slow,
    "disk_full": DiskTroubles._full,
    "disk_no_evidence": DiskTroubles._no_evidence,
}
