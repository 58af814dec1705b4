"""A run that dies at one I/O boundary, named by its number, and must end as if it had not.

Boundaries are where the process and the world meet: a request leaves, an answer or a frame is taken, a commit begins
and is told, the kill latch or the reserve file is replaced. Each has a before and an after. A run without a kill counts
them; the same seed with a kill meets the same ones up to there. It judges nothing: the day's judge does.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gridops.domain.events import Boot
from gridops.domain.vocabulary import OperatorCommand
from gridops.runtime.ports_journal import Token
from gridops.sim.day import Day
from gridops.sim.faults import FaultRates
from gridops.sim.judge import Violation
from gridops.sim.memory_journal import MemoryJournal
from gridops.sim.rest_link import Ask, Done, RestFaults
from gridops.sim.scheduler import MS, SECOND, Action, LinkRates, Scheduler
from gridops.sim.sim_loop import SimLatch, SimReserve

SHORT_S = 75
KILL_S = 55
"""When the operator kills, so that the latch is set and cleared as well."""
AWAY_MS = 700
FAULTS = FaultRates(
    rest=RestFaults(drop_request=10_000, drop_reply=10_000, hidden_success=10_000, unknown_undone=5_000),
    user=LinkRates(drop_ppm=5_000, duplicate_ppm=10_000),
    user_down=40,
    foreign_order=40,
)


class Died(BaseException):
    """The process is gone in the middle of what it did."""


class _Time(Scheduler):
    """Goes on when the process dies within an event."""

    def at(self, at_ns: int, action: Action) -> None:
        super().at(at_ns, lambda: _survive(action))


def _survive(action: Action) -> None:
    with suppress(Died):
        action()


class _Journal(MemoryJournal):
    """Tells before a commit is on the disk, and after, when nobody has heard of it yet."""

    boundary: Callable[[str], None] = lambda _: None

    def on_commit(self, callback: Callable[[Token], None]) -> None:
        def told(token: Token) -> None:
            self.boundary("commit told")
            callback(token)

        super().on_commit(told)

    def _commit(self, count: int) -> None:
        self.boundary("commit begins")
        super()._commit(count)


class KillDay(Day):
    """A short busy day that dies at the boundaries whose numbers are in `kills`, counted from 1."""

    def __init__(self, seed: int, kills: tuple[int, ...] = ()) -> None:
        self.boundaries = 0
        self.met: Counter[str] = Counter()
        self._kills = frozenset(kills)
        self.died_at: list[str] = []
        super().__init__(seed, hours=SHORT_S / 3_600, faults=FAULTS, market=f"busy:{seed}")
        self.latch = _Latch(self._boundary)
        self.judge.latched = self.latch.is_set
        self.reserve = _Reserve(self._boundary, self.judge.intents.read_effects)
        carry = self.rest.exchange
        self.rest.exchange = lambda ask, done: self._exchange(carry, ask, done)  # type: ignore[method-assign]
        self.scheduler.at(KILL_S * SECOND, lambda: self.operator(OperatorCommand.KILL))
        self.scheduler.at((KILL_S + 12) * SECOND, self._acknowledge)

    def _time(self) -> Scheduler:
        return _Time()

    def _journal(self) -> MemoryJournal:
        journal = _Journal(self.scheduler, self.disk, f"{self.seed}|disk|{self.boots}")
        journal.boundary = self._boundary
        return journal

    def _boundary(self, name: str) -> None:
        process = self.process
        if process is None or not process.alive:
            return
        self.boundaries += 1
        self.met[name] += 1
        if self.boundaries in self._kills:
            self.died_at.append(name)
            process.crash()
            self._user_up = self._market_up = 0
            self.judge.user_blind_since_ms = self.judge.market_blind_since_ms = None
            self.scheduler.after(AWAY_MS * MS, self.boot)
            raise Died

    def _exchange(self, carry: Callable[[Ask, Done], None], ask: Ask, done: Done) -> None:
        self._boundary("request before")
        carry(ask, lambda reply: self._answered(done, reply))
        self._boundary("request after")

    def _answered(self, done: Done, reply: Any) -> None:
        self._boundary("answer")
        done(reply)

    def _user_arrived(self, connection: int, process: Any, payload: dict[str, Any]) -> None:
        self._boundary("user frame")
        super()._user_arrived(connection, process, payload)

    def _market_arrived(self, connection: int, process: Any, payload: dict[str, Any]) -> None:
        self._boundary("market frame")
        super()._market_arrived(connection, process, payload)

    def _boot_event(self) -> Boot:
        self._boundary("boot")
        return super()._boot_event()


class _Latch(SimLatch):
    def __init__(self, boundary: Callable[[str], None]) -> None:
        super().__init__()
        self._boundary = boundary

    def set(self, author: str, reason: str) -> None:
        self._boundary("latch rename before")
        super().set(author, reason)
        self._boundary("latch rename after")

    def clear(self) -> None:
        self._boundary("latch removal before")
        super().clear()
        self._boundary("latch removal after")


class _Reserve(SimReserve):
    def __init__(self, boundary: Callable[[str], None], told: Callable[[bytes], None]) -> None:
        super().__init__(told)
        self._boundary = boundary

    def write(self, body: bytes) -> bool:
        self._boundary("reserve before")
        kept = super().write(body)
        self._boundary("reserve after")
        return kept


def count(seed: int) -> Counter[str]:
    """Boundaries of the run in which nothing dies, by name. Violation when even that breaks an invariant."""
    day = KillDay(seed)
    try:
        day.run()
    finally:
        day.close()
    return day.met


def killed_at(seed: int, kills: tuple[int, ...]) -> str:
    """What broke after these kills; empty when the books are the venue's and nothing did."""
    day = KillDay(seed, kills)
    try:
        day.run()
    except Violation as violation:
        return f"seed {seed}, killed at {kills} ({', '.join(day.died_at)}): {violation}"
    finally:
        day.close()
    return "" if day.died_at else f"seed {seed}: there is no boundary {kills[0]}"
