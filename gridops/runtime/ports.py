"""What the live loop needs from outside, besides the journal. Adapters and fakes implement these."""

from collections.abc import Callable, Sequence
from typing import Protocol

from gridops.domain.effects import Query, Send, WriteBundle
from gridops.domain.events import Header
from gridops.domain.records import Record
from gridops.runtime.state import EngineState


class Clock(Protocol):
    """The only reader of clocks."""

    def wall_ms(self) -> int: ...
    def boot_ns(self) -> int: ...
    def boot_id(self) -> str: ...


class Venue(Protocol):
    """Executes one effect and puts its answer on the queue; decides nothing."""

    @property
    def clock_offset_ms(self) -> int: ...
    async def send(self, effect: Send, refusal: Callable[[], str]) -> None:
        """`refusal` is asked at the last moment before bytes leave; with a reason nothing does, and it is DENIED."""
        ...

    async def query(self, effect: Query) -> None: ...


class Sink(Protocol):
    """Takes every record of every step: the log, the metrics, a screen. Never raises, never waits."""

    def take(self, header: Header, records: Sequence[Record]) -> None: ...
    def gauge(self, state: EngineState) -> None:
        """Look at the state, at most a few times a second."""
        ...


class Timings(Protocol):
    """Measured durations, which never enter a record."""

    def observe_step(self, seconds: float) -> None: ...
    def observe_lag(self, seconds: float) -> None: ...
    def observe_commit(self, seconds: float) -> None: ...


class Bundles(Protocol):
    """Writes evidence in the background."""

    def write(self, order: WriteBundle, rows: Sequence[bytes]) -> None: ...


class Lease(Protocol):
    """Proof that this process alone may write for the account."""

    @property
    def epoch(self) -> int: ...
    def check(self) -> bool: ...


class Reserve(Protocol):
    """Preallocated, synchronous file for reductions that the journal cannot commit."""

    def write(self, body: bytes) -> bool: ...


class KillLatch(Protocol):
    """The latch file: an operator's kill that outlives every process."""

    def is_set(self) -> bool: ...
    def set(self, author: str, reason: str) -> None: ...
    def clear(self) -> None: ...
