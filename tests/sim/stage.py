"""A simulated day that a test drives by hand, judged by the venue's own events: when it is flat, what was sent.

`Stage` trades until it holds something, then the test strikes. Writes are noted as they leave the process, so "zero
risk-increasing bytes" is read off the wire, not off the engine's records.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from gridops.domain.events import Header
from gridops.domain.records import Note, OrderMoved, Record
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import FsmState, OperatorCommand
from gridops.runtime.engine import Engine
from gridops.runtime.state import EngineState, SymbolState
from gridops.sim.day import RULES, WARM_NS, Day
from gridops.sim.faults import CALM
from gridops.sim.market import LightMarket
from gridops.sim.scheduler import MS, SECOND, LinkRates
from gridops.venue.market.events import Level


@dataclass(frozen=True)
class Write:
    """One leg of a request that changes orders, as it left the process."""

    at_ms: int
    """Virtual time."""
    method: str
    path: str
    leg: dict[str, Any]

    @property
    def reduce_only(self) -> bool:
        return self.leg.get("reduceOnly") == "true"

    @property
    def cancel(self) -> bool:
        return self.method == "DELETE"


class Stage(Day):
    """One account trading over links of the seed's own latency, in a book as deep as the test says."""

    def __init__(
        self,
        seed: int,
        *,
        rules: Rules = RULES,
        high_us: int = 12_000,
        book_lots: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(seed, hours=24, faults=CALM, market=f"light:{seed}", rules=rules)
        rates = LinkRates(low_us=1_000, high_us=high_us, slow_ppm=20_000)
        for link in (self._user, self._market, self.rest._there, self.rest._back):
            link.rates = rates
        self.writes: list[Write] = []
        self.notes: list[tuple[int, Note]] = []
        self.moves: list[OrderMoved] = []
        self.last_open_ms = 0
        """Virtual time at which the venue last held a position or a resting order of ours."""
        judged, told = self.rest.on_write, self.judge.on_private

        def wrote(method: str, path: str, params: dict[str, Any]) -> None:
            judged(method, path, params)
            self._wrote(method, path, params)

        def moved(payload: Mapping[str, Any]) -> None:
            told(payload)
            self._moved()

        self.rest.on_write = wrote
        self.judge.on_private = moved  # type: ignore[method-assign]
        if book_lots is not None:
            self._thin(*book_lots)

    # What is seen.

    def _wrote(self, method: str, path: str, params: Any) -> None:
        if method == "GET" or "order" not in path.lower():
            return
        for leg in params.get("batchOrders", [params]):
            self.writes.append(Write(self.scheduler.now_ms, method, path, dict(leg)))

    def _moved(self) -> None:
        if not self.flat:
            self.last_open_ms = self.scheduler.now_ms

    @property
    def flat(self) -> bool:
        """By the venue's own events: no position, and no order of ours that may fill."""
        return self.judge.position == 0 and not any(order.ours for order in self.judge.live.values())

    @property
    def state(self) -> EngineState:
        assert self.process is not None
        return self.process.engine.state

    @property
    def fsm(self) -> FsmState:
        return self.state.fsm.state

    def raised(self, since_ms: int) -> list[Write]:
        """Writes after a virtual time that may raise risk."""
        return [each for each in self.writes if each.at_ms > since_ms and not each.cancel and not each.reduce_only]

    # What is done.

    def _thin(self, low: int, high: int) -> None:
        assert isinstance(self.source, LightMarket)
        source, chance = self.source, Random(f"book {self.seed}")

        def levels() -> tuple[tuple[Level, ...], tuple[Level, ...]]:
            bids = tuple((source._bid - 9 * i, chance.randint(low, high)) for i in range(3))
            asks = tuple((source._ask + 9 * i, chance.randint(low, high)) for i in range(3))
            return bids, asks

        source._levels = levels  # type: ignore[method-assign]

    def begin(self) -> None:
        """Boot and quote."""
        self._market_next()
        self.scheduler.after(WARM_NS, self.boot)
        self.wait(lambda: self.process is not None and self.fsm is FsmState.ACTIVE, 120, "ACTIVE")

    def _recovered(self) -> Engine:
        engine = super()._recovered()
        engine.sinks = (_Notes(self),)
        return engine

    def hold(self, lots: int, within_s: int = 3_600) -> None:
        """Trade until the venue holds this much, and the engine knows it."""
        self.wait(lambda: self._holds(lots), within_s, f"{lots} lots")

    def _holds(self, lots: int) -> bool:
        held = self.judge.position
        return abs(held) >= lots and self.fsm is FsmState.ACTIVE and held == self._symbol().position_lots

    def _symbol(self) -> SymbolState:
        return self.state.symbols[self.rules.symbols[0]]

    def wait(self, true: Callable[[], bool], within_s: float, what: str, every_ms: int = 20) -> int:
        """Let virtual time pass until true; the ms it took."""
        began_ms = self.scheduler.now_ms
        while not true():
            assert self.scheduler.now_ms - began_ms < within_s * 1_000, (
                f"seed {self.seed}: not within {within_s} s: {what}"
            )
            self.scheduler.run_until(self.scheduler.now_ns + every_ms * MS)
        return self.scheduler.now_ms - began_ms

    def run_s(self, seconds: float) -> None:
        self.scheduler.run_until(self.scheduler.now_ns + int(seconds * SECOND))

    def kill(self) -> int:
        """Kill; the virtual time of it."""
        self.operator(OperatorCommand.KILL)
        return self.scheduler.now_ms

    def topics(self, since_ms: int = 0) -> list[str]:
        return [note.topic for at_ms, note in self.notes if at_ms >= since_ms]


class _Notes:
    """A sink that keeps what an operator would be told."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def take(self, _header: Header, records: Sequence[Record]) -> None:
        for each in records:
            if isinstance(each, Note):
                self._stage.notes.append((self._stage.scheduler.now_ms, each))
            elif isinstance(each, OrderMoved):
                self._stage.moves.append(each)

    def gauge(self, _state: Any) -> None:
        """Nothing to show."""


def percentile(values: list[int], share: float) -> int:
    """Nearest rank: the smallest value that at least this share does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1_000) * len(ordered) // 1_000) - 1)]
