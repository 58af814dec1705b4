"""Cancel, reduce and verify at the venue without an engine: what `kill --direct` does once it holds the lease.

Works from venue reads alone and repeats until a read shows nothing of ours, or the time is over. It cancels only orders
that carry our tag, reduces only with reduce-only market orders, and never opens anything.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from gridops.adapters.ccxt_client import VenueSettings
from gridops.domain import ids
from gridops.domain.effects import Query, Send, WireOp
from gridops.domain.events import Event, QueryReply, WriteReply
from gridops.domain.instrument import Instrument
from gridops.domain.orders import VenueOrder
from gridops.domain.values import record
from gridops.domain.vocabulary import Intent, OpKind, OrderType, QueryKind, Side, TimeInForce
from gridops.errors import VenueUnavailable

PAUSE_S = 0.25
CLEAN_PAUSE_S = 1.0
"""Between reads that only wait for what a killed process may have sent."""
CANCEL_BATCH = 10
_RUN = "kill"


@record
class Mandate:
    """Who acts for whom. `tags` are instance tags that are ours; None takes every order of gridops' making."""

    account: str
    tag: str
    tags: frozenset[str] | None
    epoch: int
    settle_s: float
    """A request of the killed process may arrive this much later; the last read starts after it."""
    within_s: float


@record
class Outcome:
    """What is left by the last venue read, and every step on the way."""

    flat: bool
    open_orders: tuple[str, ...]
    positions: dict[str, str]
    canceled: int
    reduced: int
    steps: tuple[dict[str, Any], ...]


class KillDesk:
    """One attempt at one account. `keep` stores a reduction before it is sent and says whether it could."""

    def __init__(self, settings: VenueSettings, mandate: Mandate, keep: Callable[[bytes], bool]) -> None:
        from gridops.adapters.ccxt_venue import CcxtVenue

        self.steps: list[dict[str, Any]] = []
        self._mandate, self._keep = mandate, keep
        self._venue = CcxtVenue(settings=settings, put=self._heard)
        self._instruments: dict[str, Instrument] = {}
        self._reads: dict[int, QueryReply] = {}
        self._writes: dict[int, WriteReply] = {}
        self._number = self._canceled = self._reduced = 0
        self._began_s = time.monotonic()

    async def run(self) -> Outcome:
        """Connect, then cancel and reduce until flat. VenueUnavailable when the venue cannot be used at all."""
        try:
            listed = await self._venue.connect(require_modes=False)
            self._instruments = {each.symbol: each for each in listed}
            return await self._until_flat()
        finally:
            await self._venue.close()

    async def _until_flat(self) -> Outcome:
        deadline_s = self._began_s + self._mandate.within_s
        settled_s = self._began_s + self._mandate.settle_s
        while True:
            began_s = time.monotonic()
            orders, lots = await self._own_orders(), await self._lots()
            clean = orders == [] and lots is not None and not any(lots.values())
            if clean and began_s >= settled_s:
                await self._disarm()
                return self._outcome(orders, lots)
            if time.monotonic() >= deadline_s:
                return self._outcome(orders, lots)
            if orders:
                await self._cancel(orders)
            if lots:
                await self._reduce(lots)
            await asyncio.sleep(CLEAN_PAUSE_S if clean else PAUSE_S)

    async def _own_orders(self) -> list[VenueOrder] | None:
        """Our open orders by venue reads; None when one of the reads failed: absence is not zero."""
        found: list[VenueOrder] = []
        for symbol in self._instruments:
            reply = await self._read(QueryKind.OPEN_ORDERS, symbol)
            if not reply.ok:
                return None
            found += [order for order in reply.orders if self._is_ours(order.client_id)]
        return found

    async def _lots(self) -> dict[str, int] | None:
        reply = await self._read(QueryKind.POSITIONS, "")
        if not reply.ok:
            return None
        held = dict.fromkeys(self._instruments, 0)
        for each in reply.positions:
            if each.symbol in held:
                held[each.symbol] += each.lots
        return held

    async def _cancel(self, orders: list[VenueOrder]) -> None:
        for symbol in self._instruments:
            mine = [order for order in orders if order.symbol == symbol]
            for at in range(0, len(mine), CANCEL_BATCH):
                ops = [self._cancel_op(order) for order in mine[at : at + CANCEL_BATCH]]
                self._canceled += await self._write(OpKind.CANCEL, ops)

    async def _reduce(self, lots: dict[str, int]) -> None:
        for symbol, held in lots.items():
            left = abs(held)
            while left:
                part = min(left, max(1, self._instruments[symbol].market_max_lots))
                left -= part
                op = self._reduce_op(symbol, Side.SELL if held > 0 else Side.BUY, part)
                said = {"account": self._mandate.account, "client_id": op.client_id, "symbol": symbol, "lots": part}
                kept = self._keep(json.dumps({**said, "side": op.side, "kind": "kill_direct"}).encode())
                if not kept:
                    self.steps.append({"step": "reserve_refused", "client_id": op.client_id})
                self._reduced += await self._write(OpKind.PLACE, [op])

    async def _disarm(self) -> None:
        """Nothing of ours is left, so the venue-side countdown of the dead engine may not cancel anybody's orders."""
        for symbol in self._instruments:
            await self._write(OpKind.DEADMAN, [self._op(OpKind.DEADMAN, symbol, Side.BUY, "")])

    async def _read(self, kind: QueryKind, symbol: str) -> QueryReply:
        self._number += 1
        await self._venue.query(Query(query_id=self._number, kind=kind, symbol=symbol))
        reply = self._reads.pop(self._number)
        counted = len(reply.orders) if kind is QueryKind.OPEN_ORDERS else len(reply.positions)
        self._tell("read", kind=kind, symbol=symbol, ok=reply.ok, rows=counted, detail=reply.detail)
        return reply

    async def _write(self, kind: OpKind, ops: list[WireOp]) -> int:
        """Send operations of one kind and symbol; how many were confirmed."""
        await self._venue.send(
            Send(
                kind=kind, symbol=ops[0].symbol, ops=tuple(ops), durable=False, reserve=False,
                decided_boot_ns=0, state_epoch=0, lease_epoch=self._mandate.epoch,
            )
        )  # fmt: skip
        replies = [(op, self._writes.pop(op.op_id)) for op in ops]
        for op, reply in replies:
            named = {"client_id": op.client_id, "symbol": op.symbol, "side": op.side, "lots": op.lots}
            self._tell(kind.value, **named, outcome=reply.outcome, number=reply.number, detail=reply.detail)
        return sum(reply.outcome == "confirmed" for _, reply in replies)

    def _heard(self, event: Event) -> None:
        if isinstance(event, QueryReply):
            self._reads[event.query_id] = event
        elif isinstance(event, WriteReply):
            self._writes[event.op_id] = event

    def _cancel_op(self, order: VenueOrder) -> WireOp:
        return self._op(OpKind.CANCEL, order.symbol, order.side, order.client_id)

    def _reduce_op(self, symbol: str, side: Side, lots: int) -> WireOp:
        mandate = self._mandate
        client_id = ids.mint(
            tag=mandate.tag, epoch=mandate.epoch, run_id=_RUN, symbol=symbol, level=0, side=side.value,
            attempt=self._number, marker=ids.RESERVED,
        )  # fmt: skip
        return self._op(OpKind.PLACE, symbol, side, client_id, lots=lots)

    def _op(self, kind: OpKind, symbol: str, side: Side, client_id: str, *, lots: int = 0) -> WireOp:
        self._number += 1
        return WireOp(
            op_id=self._number,
            kind=kind,
            intent=Intent.REDUCE if kind is OpKind.PLACE else Intent.CANCEL,
            symbol=symbol,
            client_id=client_id,
            venue_id="",
            side=side,
            level=0,
            price_ticks=0,
            lots=lots,
            reduce_only=kind is OpKind.PLACE,
            order_type=OrderType.MARKET,
            tif=TimeInForce.GTC,
        )

    def _is_ours(self, client_id: str) -> bool:
        owner = ids.owner(client_id)
        return owner is not None and (self._mandate.tags is None or owner.tag in self._mandate.tags)

    def _outcome(self, orders: list[VenueOrder] | None, lots: dict[str, int] | None) -> Outcome:
        known = orders is not None and lots is not None
        held = {
            symbol: str(self._instruments[symbol].quantity(count)) for symbol, count in (lots or {}).items() if count
        }
        return Outcome(
            flat=known and not orders and not held,
            open_orders=tuple(order.client_id for order in orders or ()),
            positions=held if lots is not None else {"unknown": "positions could not be read"},
            canceled=self._canceled,
            reduced=self._reduced,
            steps=tuple(self.steps),
        )

    def _tell(self, step: str, **said: Any) -> None:
        at_ms = int((time.monotonic() - self._began_s) * 1_000)
        self.steps.append({"step": step, "at_ms": at_ms, **said})


def flatten(settings: VenueSettings, mandate: Mandate, keep: Callable[[bytes], bool]) -> Outcome:
    """Run a desk to its end. VenueUnavailable when the venue cannot be used."""
    if not settings.symbols:
        raise VenueUnavailable("no symbol is known: neither settings nor journal name one", hint="set grid.symbols")
    return asyncio.run(KillDesk(settings, mandate, keep).run())
