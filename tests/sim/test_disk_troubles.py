"""The simulated disk's reports: what nobody heard is told again as the disk is then, and never after it changed."""

from collections.abc import Callable
from random import Random

from gridops.domain.events import SinkReport
from gridops.sim.disk_troubles import DiskTroubles, SimEvidence
from gridops.sim.memory_journal import Disk
from gridops.sim.scheduler import SECOND, Scheduler


def _told(alive: Callable[[int], bool]) -> list[bool]:
    """What a process heard of a disk that fills up and has room again, alive as told by the virtual time."""
    scheduler, heard = Scheduler(), list[bool]()

    def tell(report: SinkReport) -> bool:
        if alive(scheduler.now_ns):
            heard.append(report.ok)
            return True
        return False

    troubles = DiskTroubles(scheduler, Disk(), SimEvidence(tell, lambda: None), tell)
    troubles.strike("disk_full", Random(1))
    scheduler.run_until(scheduler.now_ns + 600 * SECOND)
    return heard


def test_a_process_hears_both_edges() -> None:
    assert _told(lambda _: True) == [False, True]


def test_news_that_nobody_heard_is_not_told_once_it_is_old() -> None:
    for second in range(1, 140):
        heard = _told(lambda now_ns, begins=second: now_ns >= begins * SECOND)  # type: ignore[misc]
        assert heard[-1] is True, f"a process that begins at second {second} heard {heard}"
