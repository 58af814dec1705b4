"""What befalls the simulated disk: commits that fail or take long, and a volume that fills up with a warning before.

Carried out for `day`, which draws when. It decides nothing about the rows; losing them is the disk's own business.
"""

from collections.abc import Callable
from random import Random

from gridops.domain.events import SinkReport
from gridops.sim.memory_journal import Disk
from gridops.sim.scheduler import MS, SECOND, Scheduler

ASK_AGAIN_NS = 5 * SECOND


class DiskTroubles:
    """Troubles of one disk. `tell` hands a report to the process and says whether there is one."""

    def __init__(self, scheduler: Scheduler, disk: Disk, tell: Callable[[SinkReport], bool]) -> None:
        self._scheduler, self._disk, self._tell = scheduler, disk, tell

    def strike(self, name: str, chance: Random) -> None:
        """`disk_fails`, `disk_slow` or `disk_full`."""
        {"disk_fails": self._fails, "disk_slow": self._slow, "disk_full": self._full}[name](chance)

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
        self._gauge(False)
        fills_ns, room_ns = chance.randint(1, 60) * SECOND, chance.randint(2, 120) * SECOND
        if fills_ns < room_ns:
            self._scheduler.after(fills_ns, self._fill)
        self._scheduler.after(room_ns, self.well)
        self._scheduler.after(room_ns + SECOND, lambda: self._gauge(True))

    def _fill(self) -> None:
        self._disk.failing = True

    def _gauge(self, ok: bool) -> None:
        """A process that begins looks by itself, a while later."""
        if not self._tell(SinkReport(sink="disk", ok=ok, detail="free space")):
            self._scheduler.after(ASK_AGAIN_NS, lambda: self._gauge(ok))
