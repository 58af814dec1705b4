"""A throw-away engine fed by reads and public streams until it has planned; it can ask, and it cannot send.

What it would send is kept and never leaves. The private stream is assumed up, since opening it would be a write, and so
is the answer of the dead-man switch. Journal, lease and sinks of a run are not touched.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gridops.domain.effects import Effect, Query, Send, WireOp
from gridops.domain.events import Boot, Event, Header, StreamChanged, Woke, WriteReply
from gridops.domain.plan import Choice
from gridops.domain.records import Decided
from gridops.domain.vocabulary import FsmState, Gate, OpKind, Stream, VenueCode, WriteOutcome
from gridops.runtime import facts
from gridops.runtime.engine import Engine
from gridops.runtime.ports import Clock
from gridops.runtime.state import EngineState

WITHIN_S = 25.0
"""Longer than an order of unknown fate takes to be proven absent."""
PATIENCE_S = 6.0
"""How long a state that does not quote may last before its plan is taken for the answer."""
POLL_S = 0.05
QUOTING = (FsmState.ACTIVE, FsmState.THROTTLED)


@dataclass(slots=True)
class Rehearsed:
    """What the throw-away engine decided, and its worst case (in units) before it did."""

    state: EngineState
    choices: dict[str, list[Choice]] = field(default_factory=dict)
    before_units: dict[str, int] = field(default_factory=dict)
    ops: list[WireOp] = field(default_factory=list)


class Rehearsal:
    """One throw-away engine between its inputs. `ask` executes a read and puts its reply; `offset_ms` as of clocks."""

    def __init__(
        self, engine: Engine, clock: Clock, ask: Callable[[Query], Awaitable[None]], offset_ms: Callable[[], int]
    ) -> None:
        self._engine, self._clock, self._ask, self._offset_ms = engine, clock, ask, offset_ms
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._asking: set[asyncio.Future[None]] = set()
        self.found = Rehearsed(engine.state)

    def put(self, event: Event) -> None:
        """One input of the venue."""
        self._queue.put_nowait(event)

    async def run(self, boot: Boot) -> Rehearsed:
        """Boot and take inputs until every symbol has a plan, or until time is up."""
        self._take(boot)
        self._take(StreamChanged(stream=Stream.USER, up=True, detail="assumed"))
        began_ns = self._clock.boot_ns()
        try:
            while not self._done((self._clock.boot_ns() - began_ns) / 1e9):
                self._take(await self._next())
        finally:
            for asking in self._asking:
                asking.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)
        return self.found

    async def _next(self) -> Event:
        while True:
            try:
                return await asyncio.wait_for(self._queue.get(), POLL_S)
            except TimeoutError:
                wake = self._engine.wake_at_ms
                if not wake or self._clock.boot_ns() // 1_000_000 >= wake:
                    return Woke()

    def _done(self, spent_s: float) -> bool:
        state = self._engine.state
        planned = all(self._planned(name) for name in state.symbols)
        if state.fsm.state in QUOTING:
            return planned or spent_s >= WITHIN_S
        settled = (state.now_ms - state.fsm.since_ms) / 1e3 >= PATIENCE_S and state.fsm.state is not FsmState.INIT
        return settled or spent_s >= WITHIN_S

    def _planned(self, name: str) -> bool:
        """Is there a plan that was not held up by the first beat of the dead-man switch?"""
        choices = self.found.choices.get(name)
        return choices is not None and all(choice.gate is not Gate.DEADMAN for choice in choices)

    def _take(self, event: Event) -> None:
        state = self._engine.state
        before = {name: facts.wce_units(symbol) for name, symbol in state.symbols.items()}
        for symbol in state.symbols.values():
            # Every decision is wanted, said before or not.
            symbol.last_choice.clear()
        now_ms = self._clock.wall_ms()
        header = Header(
            seq=state.seq + 1,
            wall_ms=now_ms,
            boot_ns=self._clock.boot_ns(),
            boot_id=self._clock.boot_id(),
            venue_ms=now_ms + self._offset_ms(),
        )
        done, _ = self._engine.handle(header, event)
        said: dict[str, list[Choice]] = {}
        for each in done.records:
            if isinstance(each, Decided):
                said.setdefault(each.choice.symbol, []).append(each.choice)
        for name, choices in said.items():
            self.found.choices[name], self.found.before_units[name] = choices, before.get(name, 0)
        for effect in done.effects:
            self._effect(effect, header)

    def _effect(self, effect: Effect, header: Header) -> None:
        if isinstance(effect, Query):
            asking = asyncio.ensure_future(self._ask(effect))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)
        elif isinstance(effect, Send) and effect.kind is OpKind.DEADMAN:
            for op in effect.ops:
                self.put(_assumed(op, header))
        elif isinstance(effect, Send):
            self.found.ops += effect.ops


def _assumed(op: WireOp, header: Header) -> WriteReply:
    return WriteReply(
        op_id=op.op_id,
        outcome=WriteOutcome.CONFIRMED,
        code=VenueCode.OK,
        number=0,
        detail="assumed",
        order=None,
        started_ms=header.venue_ms,
        ended_ms=header.venue_ms,
    )
