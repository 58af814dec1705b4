"""B6: from a market frame's arrival to the first bytes of an order request, against the emulator over loopback.

The live loop, the real adapter and the real journal with its fsync; only lease, latch and evidence are stand-ins. Wall
time per stage. A frame that the 20 ms pace of views held back is not counted: the pace is a setting, not a cost.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from gridops.adapters import market_stream
from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.ccxt_venue import CcxtVenue
from gridops.adapters.clock import Clock
from gridops.adapters.journal_sqlite import open_journal
from gridops.domain.effects import Send, WriteBundle
from gridops.domain.events import Boot, Event, ViewChanged
from gridops.domain.rules import BudgetRules, GridRules, RouterRules, Rules
from gridops.runtime.engine import Engine
from gridops.runtime.live_loop import LiveLoop
from gridops.runtime.ports_journal import Token
from gridops.runtime.state import EngineState
from gridops.venue.handle import VenueHandle, spawn
from gridops.venue.options import VenueOptions
from tests.bench.table import Result, times
from tests.bench.timing import quantile

RUN_S = 45.0
AIM_P50_MS, AIM_P99_MS = 4.0, 15.0
STAGES = ("receive", "decide, encode", "commit", "last hop, sign", "to the socket")
_NOW: ContextVar["Trace | None"] = ContextVar("bench_trace", default=None)

Trace = list[int]
"""Nanoseconds: frame, turn, stepped, committed, endpoint called, headers sent."""


def run() -> list[Result]:
    """Total and the split per stage; each stage's quantiles are its own."""
    with tempfile.TemporaryDirectory() as folder:
        handle = spawn(VenueOptions(store=Path(folder) / "venue", market="synthetic:1", speed=Decimal(4), hold=True))
        try:
            traces = asyncio.run(_traded(handle, Path(folder) / "journal.db"))
        finally:
            handle.stop()
        floor_ms = _fsync_ms(Path(folder) / "floor")
    totals = [(trace[5] - trace[0]) / 1e6 for trace in traces]
    p50, p99 = quantile(totals, 0.5), quantile(totals, 0.99)
    first = Result(
        row="B6",
        what=f"market frame in to order bytes out, journal fsync included ({len(totals)} steps)",
        here=f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
        against=f"one 8 KiB write and fsync in the same folder: {floor_ms:.2f} ms",
        ratio=times(p50 / floor_ms),
        aim=f"p50 <= {AIM_P50_MS:.0f} ms, p99 <= {AIM_P99_MS:.0f} ms",
        peer="none publishes it",
        met=p50 <= AIM_P50_MS and p99 <= AIM_P99_MS,
    )
    return [first, *(_stage(name, number, traces) for number, name in enumerate(STAGES))]


def _stage(name: str, number: int, traces: list[Trace]) -> Result:
    took = [(trace[number + 1] - trace[number]) / 1e6 for trace in traces]
    shown = f"p50 {quantile(took, 0.5):.2f} ms, p99 {quantile(took, 0.99):.2f} ms"
    return Result(row="B6", what=f"of that: {name}", here=shown)


def _fsync_ms(path: Path) -> float:
    """Median wall time of a small append with its fsync: what no journal can beat."""
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(40):
            began_ns = time.perf_counter_ns()
            file.write(bytes(8_192))
            os.fsync(file.fileno())
            took.append((time.perf_counter_ns() - began_ns) / 1e6)
    return quantile(took, 0.5)


async def _traded(handle: VenueHandle, path: Path) -> list[Trace]:
    """Trade for RUN_S and return a trace per step whose order left."""
    clock = Clock()
    journal = open_journal(path, account="bench", clock_ms=clock.wall_ms)
    inbox: list[Event] = []
    put = inbox.append
    venue = CcxtVenue(settings=_settings(handle), put=lambda event: put(event))
    try:
        instruments = await venue.connect()
        loop = _TracedLoop(Engine(EngineState(rules=Rules(symbols=()))), clock, venue, journal)
        _trace_requests(venue)
        loop.put(_boot(handle, instruments))
        for event in inbox:
            loop.put(event)
        put = loop.put
        with _frames_stamped(loop):
            await venue.start_streams()
            running = asyncio.create_task(loop.run())
            await asyncio.sleep(RUN_S)
            while not running.done():
                # A cancellation that meets the end of a wait may get lost (asyncio.wait_for before Python 3.12).
                running.cancel()
                await asyncio.wait({running}, timeout=0.5)
        return [trace for trace in loop.traces if len(trace) == len(STAGES) + 1]
    finally:
        await venue.close()
        journal.close()


def _settings(handle: VenueHandle) -> VenueSettings:
    return VenueSettings(
        api_key=handle.api_key,
        api_secret=handle.api_secret,
        symbols=handle.symbols[:1],
        rest=handle.rest,
        ws=handle.ws,
        ws_api=handle.ws_api,
    )


def _boot(handle: VenueHandle, instruments: tuple[Any, ...]) -> Boot:
    """Three narrow rungs a side that follow the mid closely: an order every few frames, within the venue's limits."""
    rules = Rules(
        symbols=handle.symbols[:1],
        grid=GridRules(levels=3, volatility_scaled=False, regime_scaled=False),
        router=RouterRules(hold_band_pct=25),
        budget=BudgetRules(reserve_pct=5, low_pct=95),
    )
    return Boot(
        run_id="bench0000000",
        instance_tag="bnch",
        account="bench",
        fingerprint="bench",
        epoch=1_700_000_000,
        build="bench",
        config_hash="",
        armed=True,
        live=False,
        rules=rules,
        instruments=instruments,
    )


class _TracedLoop(LiveLoop):
    """The live loop with a stamp at each stage of the steps that a fresh frame led to."""

    def __init__(self, engine: Engine, clock: Clock, venue: CcxtVenue, journal: Any) -> None:
        free = _Free()
        super().__init__(
            engine,
            clock=clock,
            venue=venue,
            journal=journal,
            lease=free,
            latch=free,
            reserve=free,
            bundles=_NoBundles(),
            alarm=print,
            timings=free,
        )
        self.frame_ns = 0
        """Arrival of the frame being read now; 0 outside."""
        self.traces: list[Trace] = []
        self._arrivals: dict[int, int] = {}
        self._by_seq: dict[int, Trace] = {}
        self._leaving: Trace | None = None

    def put(self, event: Event) -> None:
        if self.frame_ns and isinstance(event, ViewChanged):
            self._arrivals[id(event)] = self.frame_ns
        super().put(event)

    def _turn(self, boot_ns: int, wall_ms: int, event: Event) -> None:
        frame_ns = self._arrivals.pop(id(event), 0)
        began_ns = time.perf_counter_ns()
        if frame_ns:
            self._by_seq[self.engine.state.seq + 1] = [frame_ns, began_ns]
        super()._turn(boot_ns, wall_ms, event)

    def _execute(self, done: Any, token: Token, body: bytes) -> None:
        trace = self._by_seq.get(token.seq)
        if trace is not None and done.durable:
            trace.append(time.perf_counter_ns())
        else:
            self._by_seq.pop(token.seq, None)
        super()._execute(done, token, body)

    def _committed(self, token: Token) -> None:
        self._leaving = self._by_seq.pop(token.seq, None)
        if self._leaving is not None:
            self._leaving.append(time.perf_counter_ns())
        super()._committed(token)
        self._leaving = None

    def _launch(self, send: Send) -> None:
        trace, self._leaving = self._leaving, None
        if trace is None:
            super()._launch(send)
            return
        self.traces.append(trace)
        given = _NOW.set(trace)
        super()._launch(send)
        _NOW.reset(given)


class _Free:
    """Lease, latch, reserve, evidence and timings that cost and refuse nothing."""

    epoch = 1_700_000_000

    def check(self) -> bool:
        return True

    def is_set(self) -> bool:
        return False

    def set(self, author: str, reason: str) -> None:
        raise AssertionError(reason)

    def clear(self) -> None: ...

    def write(self, body: bytes) -> bool:
        return False

    def observe_step(self, seconds: float) -> None: ...

    def observe_lag(self, seconds: float) -> None: ...

    def observe_commit(self, seconds: float) -> None: ...


class _NoBundles:
    def write(self, order: WriteBundle, rows: Sequence[bytes]) -> None: ...


def _trace_requests(venue: CcxtVenue) -> None:
    """Stamp when the adapter's HTTP session begins a request and when its headers are on the socket."""

    async def stamp(*_: object) -> None:
        trace = _NOW.get()
        if trace is not None and len(trace) < len(STAGES) + 1:
            trace.append(time.perf_counter_ns())

    traced = aiohttp.TraceConfig()
    traced.on_request_start.append(stamp)
    traced.on_request_headers_sent.append(stamp)
    traced.freeze()
    venue._wire.exchange.session._trace_configs.append(traced)


@contextmanager
def _frames_stamped(loop: _TracedLoop) -> Iterator[None]:
    """While open, the arrival of the frame being read stands in the loop."""
    plain = market_stream.MarketSocket._on_text

    def stamped(socket: market_stream.MarketSocket, text: str | bytes) -> None:
        loop.frame_ns = time.perf_counter_ns()
        plain(socket, text)
        loop.frame_ns = 0

    market_stream.MarketSocket._on_text = stamped  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        market_stream.MarketSocket._on_text = plain  # type: ignore[method-assign]
