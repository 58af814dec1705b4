"""Binance USDT-M futures, real or emulated, through ccxt: effects in, inputs out.

The adapter of the engine's venue port. It executes one effect and says what came of it; it decides nothing, repeats
nothing and keeps no rate ledger. What is not proven is UNKNOWN.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from gridops.adapters import venue_orders, venue_parse
from gridops.adapters.ccxt_client import Reply, VenueSettings
from gridops.adapters.clock import Clock
from gridops.adapters.last_look import Objection
from gridops.adapters.market_stream import MarketStreams, market_sockets
from gridops.adapters.owed_reports import OwedReports
from gridops.adapters.redaction import Secrets, scrub
from gridops.adapters.tended import Tended
from gridops.adapters.user_stream import UserStream
from gridops.adapters.venue_orders import Call, Result
from gridops.adapters.venue_parse import Grid, Malformed
from gridops.adapters.venue_queries import ReadFailed, VenueReads
from gridops.adapters.venue_wire import Wire
from gridops.domain.effects import Query, Send, WireOp
from gridops.domain.events import BudgetSeen, Event, QueryReply, WriteReply
from gridops.domain.instrument import Instrument
from gridops.domain.orders import VenueModes
from gridops.domain.vocabulary import OpKind, VenueCode, WriteOutcome
from gridops.errors import ConfigError, Refused, VenueUnavailable

_CLOCK_SAMPLES = 3


class CcxtVenue:
    """One account at one venue. `put` takes every input the venue causes, in the order it is learnt."""

    def __init__(
        self,
        *,
        settings: VenueSettings,
        put: Callable[[Event], None],
        venue_ms: Callable[[], int] | None = None,
    ) -> None:
        self._settings, self._put = settings, put
        self._clock = Clock()
        self._venue_ms = venue_ms or self.venue_now
        self._wire = Wire(settings, self._clock, self._on_reply)
        self._secrets = Secrets()
        self._grids: dict[str, Grid] = {}
        self._budget: BudgetSeen | None = None
        self._owed = OwedReports(self._clock.boot_ns)
        self._streams: list[Tended] = []
        self._market: MarketStreams | None = None
        self._reads = VenueReads(wire=self._wire, symbols=settings.symbols, grids=lambda: self._grids, put=put)
        self.clock_offset_ms = 0
        """Venue clock minus ours, as last measured."""

    def venue_now(self) -> int:
        """The venue's clock as we estimate it, in ms."""
        return self._clock.wall_ms() + self.clock_offset_ms

    async def connect(self, *, require_modes: bool = True) -> tuple[Instrument, ...]:
        """Measure the clock, load the whitelisted symbols' rules, check the account's modes.

        VenueUnavailable when the venue does not answer or lacks a symbol; ConfigError for an account in hedge,
        multi-asset or isolated mode, with the call that changes it.
        """
        try:
            offsets = [await self._reads.offset_ms(self._clock.wall_ms) for _ in range(_CLOCK_SAMPLES)]
            self._adopt_offset(sorted(offsets)[_CLOCK_SAMPLES // 2])
            instruments = await self._reads.rules()
            modes = await self._reads.modes()
            isolated = await self._reads.isolated_symbols()
        except (ReadFailed, Malformed) as error:
            # The cause is our own text; the library's exception, which holds signed URLs, is not part of it.
            raise VenueUnavailable(f"the venue cannot be used: {self._wire.clean(str(error))}") from None
        self._learn(instruments)
        missing = [symbol for symbol in self._settings.symbols if symbol not in self._grids]
        if missing:
            raise VenueUnavailable(f"the venue does not list {', '.join(missing)}")
        if require_modes:
            _check_modes(modes, isolated)
        return instruments

    async def start_streams(self, *, private: bool = True) -> None:
        """Begin the streams; they reconnect by themselves until `close`. The private one asks for a key, by POST."""
        grids = list(self._grids.values())
        self._market = market_sockets(self._wire, grids, self._put, self._clock, self._settings.view_interval_ms)
        if private:
            user = UserStream(
                wire=self._wire, grids=lambda: self._grids, put=self._put, clean=self._shown, owed=self._owed
            )
            self._streams.append(Tended("user stream", user.run, user.lost))
        self._streams += [Tended(f"{each.name} stream", each.run, each.lost) for each in self._market.sockets]

    async def leverages(self) -> dict[str, int]:
        """Leverage by whitelisted symbol, as the account has it; VenueUnavailable when it is not told."""
        try:
            return await self._reads.leverages()
        except (ReadFailed, Malformed) as error:
            raise VenueUnavailable(f"no leverage: {self._wire.clean(str(error))}") from None

    async def send(self, effect: Send, refusal: Objection = lambda: "") -> None:
        """Execute the operations; one WriteReply each, also when this task is cancelled."""
        grid = self._grids.get(effect.symbol)
        now_ms = self._venue_ms()
        if grid is None:
            nothing = venue_orders.denied(VenueCode.BAD_REQUEST, "no rules of this symbol are loaded")
            self._answer(effect.ops, [nothing] * len(effect.ops), now_ms)
            return
        waiting = list(venue_orders.calls(effect.ops, grid))
        try:
            while waiting:
                await self._execute(waiting.pop(0), refusal)
        finally:
            for call in waiting:
                nothing = venue_orders.denied(VenueCode.OTHER, "cancelled before it left")
                self._answer(call.ops, [nothing] * len(call.ops), now_ms)

    async def query(self, effect: Query) -> None:
        """Execute one read; exactly one QueryReply."""
        started_ms = self._venue_ms()
        found: dict[str, Any] = {"ok": False, "code": VenueCode.TIMEOUT, "detail": "interrupted"}
        try:
            answer = await self._reads.answer(effect, self._clock.wall_ms)
            found = {"ok": True, "code": VenueCode.OK, "detail": "", **answer}
            if "clock_offset_ms" in answer:
                self._adopt_offset(answer["clock_offset_ms"])
            self._learn(answer.get("instruments", ()))
        except ReadFailed as error:
            found = {"ok": False, "code": error.code, "detail": error.detail}
        except Malformed as error:
            detail = self._wire.clean(f"an odd reply: {error}")
            found = {"ok": False, "code": VenueCode.OTHER, "detail": detail}
        finally:
            self._put(
                QueryReply(
                    query_id=effect.query_id,
                    kind=effect.kind,
                    symbol=effect.symbol,
                    started_ms=started_ms,
                    ended_ms=self._venue_ms(),
                    **found,
                )
            )

    async def close(self) -> None:
        """End the streams and all connections; nothing is put afterwards."""
        streams, self._streams = self._streams, []
        await asyncio.gather(*(stream.leave() for stream in streams))
        if self._market is not None:
            self._market.stop()
        await self._wire.close()

    async def _execute(self, call: Call, refusal: Objection) -> None:
        started_ms, began_ns = self._venue_ms(), self._clock.boot_ns()
        results = [venue_orders.unknown(VenueCode.TIMEOUT, "cancelled")] * len(call.ops)
        try:
            reply = await self._wire.call(call.endpoint, call.params, refusal)
            if reply.refused:
                results = [venue_orders.denied(VenueCode.OTHER, reply.refused)] * len(call.ops)
            else:
                results = venue_orders.results(call, reply, self._grids, self._wire.clean)
        finally:
            if any(_owes(op, result) for op, result in zip(call.ops, results, strict=True)):
                self._owed.wrote(began_ns)
            self._answer(call.ops, results, started_ms)

    def _answer(self, ops: tuple[WireOp, ...], results: list[Result], started_ms: int) -> None:
        ended_ms = self._venue_ms()
        for op, result in zip(ops, results, strict=True):
            self._put(
                WriteReply(
                    op_id=op.op_id,
                    outcome=result.outcome,
                    code=result.code,
                    number=result.number,
                    detail=result.detail,
                    order=result.order,
                    started_ms=started_ms,
                    ended_ms=ended_ms,
                )
            )

    def _on_reply(self, reply: Reply) -> None:
        """Tell the engine what the venue says it has counted, when that has changed."""
        seen = BudgetSeen(
            weight_1m=_count(reply, "X-MBX-USED-WEIGHT-1M"),
            orders_10s=_count(reply, "X-MBX-ORDER-COUNT-10S"),
            orders_1m=_count(reply, "X-MBX-ORDER-COUNT-1M"),
            retry_after_ms=self._wire.retry_after_ms(reply),
            banned=reply.status == 418,
        )
        limited = seen.banned or seen.retry_after_ms or reply.status == 429
        stated = max(seen.weight_1m, seen.orders_10s, seen.orders_1m) >= 0
        if limited or (stated and seen != self._budget):
            self._budget = seen
            self._put(seen)

    def _learn(self, instruments: tuple[Instrument, ...]) -> None:
        """Keep the ticks and lots a symbol was first counted in: the engine counts in them until it starts anew, and
        orders of before rest at prices that a coarser tick could not read.
        """
        for name, grid in venue_parse.grids(instruments).items():
            known = self._grids.get(name)
            if known is None or _sizes(known) == _sizes(grid):
                self._grids[name] = grid

    def _adopt_offset(self, offset_ms: int) -> None:
        self.clock_offset_ms = offset_ms
        self._wire.set_offset(offset_ms)

    def _shown(self, payload: object) -> str:
        """A foreign payload for an event: allow-listed fields, no secrets, short."""
        if isinstance(payload, str):
            return self._wire.clean(payload)
        return self._wire.clean(msgspec.json.encode(scrub(payload, self._secrets)).decode())


def _owes(op: WireOp, result: Result) -> bool:
    """The venue reports every order it takes, changes or cancels by name (ORDER_TRADE_UPDATE)."""
    return result.outcome is WriteOutcome.CONFIRMED and op.kind in (OpKind.PLACE, OpKind.AMEND, OpKind.CANCEL)


def _sizes(grid: Grid) -> tuple[Decimal, Decimal]:
    return grid.instrument.tick_size, grid.instrument.step_size


def _check_modes(modes: VenueModes, isolated: tuple[str, ...]) -> None:
    if modes.hedge:
        raise ConfigError(
            "position mode = hedge is refused; allowed: one-way",
            hint="POST /fapi/v1/positionSide/dual with dualSidePosition=false, while flat and without orders",
        )
    if modes.multi_assets:
        raise ConfigError(
            "multi-assets mode = on is refused; allowed: off",
            hint="POST /fapi/v1/multiAssetsMargin with multiAssetsMargin=false",
        )
    if isolated:
        listed = ", ".join(isolated)
        raise ConfigError(
            f"margin type = ISOLATED on {listed} is refused; allowed: CROSSED",
            hint=f"POST /fapi/v1/marginType with symbol={isolated[0]} and marginType=CROSSED, while flat there",
        )
    if not modes.can_trade:
        raise Refused("the account may not trade", hint="check the permissions of the API key")


def _count(reply: Reply, name: str) -> int:
    text = reply.header(name)
    return int(text) if text.isascii() and text.isdecimal() else -1
