"""One simulated process: the production turns on a virtual clock, which can be frozen, killed and started again.

The live loop's own base class does the work; this adds when a turn happens and how a coroutine of the adapter is
driven. It jumps to the engine's next deadline instead of sleeping.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any

from gridops.adapters.ccxt_client import Reply
from gridops.domain.effects import Finish, WriteBundle
from gridops.domain.events import Event
from gridops.runtime.engine import Engine
from gridops.runtime.ports import Bundles
from gridops.runtime.ports_journal import Token
from gridops.runtime.turns import Turns
from gridops.sim.memory_journal import MemoryJournal
from gridops.sim.rest_link import RestLink
from gridops.sim.scheduler import MS, US, Scheduler, VirtualClock
from gridops.sim.sim_venue import SimVenue


@dataclass(slots=True)
class SimLease:
    """Held by one process at a time; the simulation hands it on."""

    epoch: int
    held: bool = True

    def check(self) -> bool:
        return self.held


class SimLatch:
    """The kill latch file; outlives processes."""

    def __init__(self) -> None:
        self.latched = False

    def is_set(self) -> bool:
        return self.latched

    def set(self, author: str, reason: str) -> None:  # noqa: ARG002 - the file's content does not matter here
        self.latched = True

    def clear(self) -> None:
        self.latched = False


class SimReserve:
    """The reserve file; outlives processes."""

    def __init__(self, told: Callable[[bytes], None] = lambda _: None) -> None:
        self.rows: list[bytes] = []
        self._told = told

    def write(self, body: bytes) -> bool:
        self.rows.append(body)
        self._told(body)
        return True


class _Quiet:
    """Bundles and timings nobody reads."""

    def __init__(self) -> None:
        self.bundles = 0

    def write(self, order: WriteBundle, rows: object) -> None:  # noqa: ARG002
        self.bundles += 1

    def observe_step(self, seconds: float) -> None:
        """Virtual steps take no time."""

    def observe_lag(self, seconds: float) -> None:
        """Known to the simulation already."""

    def observe_commit(self, seconds: float) -> None:
        """As the lag."""


class SimProcess(Turns):
    """The engine's process. What reaches it after its death, or while it is stopped, is lost or waits."""

    def __init__(
        self,
        engine: Engine,
        *,
        scheduler: Scheduler,
        clock: VirtualClock,
        venue_of: Callable[[Callable[[Event], None]], SimVenue],
        rest: RestLink,
        journal: MemoryJournal,
        lease: SimLease,
        latch: SimLatch,
        reserve: SimReserve,
        seed: str,
    ) -> None:
        self._scheduler, self._rest = scheduler, rest
        self._chance = Random(seed)
        self._turn_asked = False
        self._wake_ns = 0
        self._frozen: list[Callable[[], None]] | None = None
        self._stopped_ns = 0
        self._gap_due = False
        self._running: set[Coroutine[Any, Any, None]] = set()
        self.alive = True
        self.on_wake: Callable[[], None] = lambda: None
        """Told whenever the engine's own deadline wakes it."""
        self.on_ask: Callable[[], None] = lambda: None
        """Told just before a call of this process leaves it."""
        self.journal, self.lease = journal, lease
        self.adapter = venue_of(self.put)
        quiet = _Quiet()
        super().__init__(
            engine,
            clock=clock,
            venue=self.adapter,
            journal=journal,
            lease=lease,
            latch=latch,
            reserve=reserve,
            bundles=quiet,
            alarm=lambda _: None,
            timings=quiet,
        )
        journal.on_commit(lambda token: self.deliver(lambda: self._commit_seen(token)))

    def bundles_to(self, bundles: Bundles) -> None:
        """Who writes evidence from now on; nobody did."""
        self._bundles = bundles

    @property
    def finished(self) -> Finish | None:
        return self._finish

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    @property
    def still(self) -> bool:
        """Does nothing happen in it now?"""
        return not self.alive or self._frozen is not None or self._finish is not None

    def deliver(self, action: Callable[[], None]) -> None:
        """Do something inside the process: now, when it is thawed, or never."""
        if not self.alive:
            return
        if self._frozen is not None:
            self._frozen.append(action)
        else:
            action()

    def put(self, event: Event) -> None:
        if self._frozen is not None:
            self._frozen.append(lambda: self.put(event))
        elif self.alive:
            super().put(event)
            self._ask_turn()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._running.add(work)
        self._scheduler.after(
            self._chance.randint(10, 60) * US, lambda: self.deliver(lambda: self._advance(work, None))
        )

    def freeze(self, for_ns: int) -> None:
        """The process is stopped by a signal or the machine sleeps; afterwards everything that waited happens."""
        if self.alive and self._frozen is None:
            self._frozen = []
            self._stopped_ns = self._clock.boot_ns()
            self._scheduler.after(for_ns, self._thaw)

    def crash(self) -> None:
        """Nothing more happens in this process; its requests under way still reach the venue."""
        self.journal.crash()
        self.close()

    def close(self) -> None:
        """The process is gone; what its coroutines say while they are closed is heard by nobody."""
        self.alive = False
        for work in self._running:
            work.close()
        self._running.clear()

    def _thaw(self) -> None:
        waiting, self._frozen = self._frozen, None
        if not self.alive:
            return
        # The next look at the clock shows the gap.
        self._last_turn_ns = self._stopped_ns
        self._gap_due = True
        for action in waiting or ():
            self.deliver(action)
        self._run_turn()

    def _advance(self, work: Coroutine[Any, Any, None], reply: Reply | None) -> None:
        try:
            ask = work.send(reply)
        except StopIteration:
            self._running.discard(work)
            return
        self.on_ask()
        self._rest.exchange(ask, lambda answer: self.deliver(lambda: self._advance(work, answer)))

    def _commit_seen(self, token: Token) -> None:
        # What follows from it is launched at once or queued, and what is queued asks for its turn.
        self._committed(token)

    def _ask_turn(self) -> None:
        if not self._turn_asked:
            self._turn_asked = True
            delay_us = 20 + int(self._chance.random() * 131)
            self._scheduler.after(delay_us * US, lambda: self.deliver(self._run_turn))

    def _run_turn(self) -> None:
        self._turn_asked = False
        if self._finish is not None:
            return
        if not self._gap_due:
            # A jump over quiet time is no stall: a real loop would have woken in between.
            self._last_turn_ns = self._clock.boot_ns()
        self._gap_due = False
        self.consume()
        self._plan_wake()

    def _plan_wake(self) -> None:
        """Jump to the engine's next deadline, unless an earlier wake-up is planned already."""
        if self._finish is not None or not self.engine.wake_at_ms:
            return
        left_ns = self.engine.wake_at_ms * MS - self._clock.boot_ns()
        wake_ns = self._scheduler.now_ns + max(left_ns, MS)
        if self._scheduler.now_ns < self._wake_ns <= wake_ns:
            return
        self._wake_ns = wake_ns
        self._scheduler.at(wake_ns, lambda: self._woken(wake_ns))

    def _woken(self, wake_ns: int) -> None:
        if wake_ns == self._wake_ns:
            self.on_wake()
            self.deliver(self._run_turn)
