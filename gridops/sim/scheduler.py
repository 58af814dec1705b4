"""Virtual time: one heap of events, the machine's clocks as the engine reads them, and seeded network links.

Sits below everything else in `sim`. No real clock, no thread, no event loop: equal seeds give equal orders of events,
ties included.
"""

import heapq
from collections.abc import Callable
from random import Random

from gridops.adapters.clock import Clock
from gridops.domain.values import record
from gridops.sim.fault_gate import FaultGate

US, MS, SECOND = 1_000, 1_000_000, 1_000_000_000
"""In nanoseconds."""

Action = Callable[[], None]


class Scheduler:
    """Actions in order of time; equal times run in the order in which they were asked for."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.events = 0
        self._heap: list[tuple[int, int, Action]] = []
        self._asked = 0

    @property
    def now_ms(self) -> int:
        return self.now_ns // MS

    def at(self, at_ns: int, action: Action) -> None:
        """Run `action` at a virtual time; one that has passed means now."""
        self._asked += 1
        heapq.heappush(self._heap, (at_ns if at_ns > self.now_ns else self.now_ns, self._asked, action))

    def after(self, delay_ns: int, action: Action) -> None:
        self.at(self.now_ns + delay_ns, action)

    def run_until(self, end_ns: int) -> None:
        """Run everything due up to `end_ns`, and leave the clock there."""
        heap = self._heap
        while heap and heap[0][0] <= end_ns:
            self.now_ns, _, action = heapq.heappop(heap)
            self.events += 1
            action()
        self.now_ns = max(self.now_ns, end_ns)


class VirtualClock(Clock):
    """One machine's clocks. Wall time may be wrong by `skew_ms`; a reboot begins a new boot clock and boot id."""

    def __init__(self, scheduler: Scheduler, epoch_ms: int) -> None:
        self._scheduler, self._epoch_ms = scheduler, epoch_ms
        self.skew_ms = 0
        self._boots = 1
        self._booted_ns = -100 * SECOND

    def wall_ms(self) -> int:
        return self._epoch_ms + self._scheduler.now_ms + self.skew_ms

    def boot_ns(self) -> int:
        return self._scheduler.now_ns - self._booted_ns

    def boot_id(self) -> str:
        return f"boot-{self._boots}"

    def reboot(self) -> None:
        """The machine restarted: its boot clock begins again."""
        self._boots += 1
        self._booted_ns = self._scheduler.now_ns - 20 * SECOND

    def true_ms(self) -> int:
        """The venue's clock, which is right."""
        return self._epoch_ms + self._scheduler.now_ms


@record
class LinkRates:
    """One direction of one message class. Latency in microseconds, chances in parts per million."""

    low_us: int = 2_000
    high_us: int = 12_000
    slow_ppm: int = 5_000
    slow_us: int = 400_000
    """Largest extra delay of a slow message."""
    drop_ppm: int = 0
    duplicate_ppm: int = 0
    reorder_ppm: int = 0


class Link:
    """Decides the fate of each message: when it arrives, how often, or never. In order unless told to reorder."""

    def __init__(self, scheduler: Scheduler, rates: LinkRates, seed: str, *, ordered: bool) -> None:
        self._scheduler, self.rates = scheduler, rates
        self._chance = Random(seed)
        self._ordered = ordered
        self._last_ns = 0
        self.faults = 0
        self.name, self.gate = "", FaultGate()

    def arrivals(self) -> tuple[int, ...]:
        """Virtual times at which one message sent now arrives; none when it is lost."""
        rates, chance = self.rates, self._chance.random
        ppm = rates.drop_ppm
        if ppm and chance() * 1_000_000 < ppm and self._struck("drop"):
            return ()
        first = self._arrival()
        ppm = rates.duplicate_ppm
        if ppm and chance() * 1_000_000 < ppm and self._struck("duplicate"):
            return first, first + self.delay_ns()
        return (first,)

    def delay_ns(self) -> int:
        """One latency, the occasional slow one included."""
        rates, chance = self.rates, self._chance.random
        delay = rates.low_us + int(chance() * (rates.high_us - rates.low_us + 1))
        if rates.slow_ppm and chance() * 1_000_000 < rates.slow_ppm:
            delay += int(chance() * (rates.slow_us + 1))
        return delay * US

    def _arrival(self) -> int:
        at_ns = self._scheduler.now_ns + self.delay_ns()
        ppm = self.rates.reorder_ppm
        if not self._ordered or (ppm and self._chance.random() * 1_000_000 < ppm and self._struck("reorder")):
            return at_ns
        if at_ns > self._last_ns:
            self._last_ns = at_ns
        return self._last_ns

    def _struck(self, kind: str) -> bool:
        """Chance has picked this message; may the fault strike?"""
        if not self.gate.take(f"{self.name}.{kind}"):
            return False
        self.faults += 1
        return True
