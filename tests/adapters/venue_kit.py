"""What the venue adapter's tests share: instruments, operations, a queue of inputs that can be waited on."""

import asyncio
import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.ccxt_venue import CcxtVenue
from gridops.domain.effects import Query, Send, WireOp
from gridops.domain.events import Event, QueryReply, WriteReply
from gridops.domain.instrument import Instrument
from gridops.domain.vocabulary import Intent, OpKind, OrderType, QueryKind, Side, TimeInForce
from gridops.venue.handle import VenueHandle

T = TypeVar("T")


def btc(symbol: str = "BTCUSDT", *, tick: str = "0.10", step: str = "0.001") -> Instrument:
    return Instrument(
        symbol=symbol,
        settle_asset="USDT",
        tick_size=Decimal(tick),
        step_size=Decimal(step),
        min_price_ticks=1,
        max_price_ticks=10**9,
        min_lots=1,
        max_lots=10**9,
        market_max_lots=10**9,
        min_notional=Decimal(5),
        percent_up=Decimal("1.05"),
        percent_down=Decimal("0.95"),
    )


def op(op_id: int, kind: OpKind = OpKind.PLACE, **changes: Any) -> WireOp:
    given: dict[str, Any] = {
        "op_id": op_id,
        "kind": kind,
        "intent": Intent.INCREASE,
        "symbol": "BTCUSDT",
        "client_id": f"goTEST{op_id}",
        "venue_id": "",
        "side": Side.BUY,
        "level": -1,
        "price_ticks": 600_000,
        "lots": 10,
        "reduce_only": False,
        "order_type": OrderType.LIMIT,
        "tif": TimeInForce.GTC,
    }
    return WireOp(**{**given, **changes})


def send(*ops: WireOp) -> Send:
    return Send(
        kind=ops[0].kind,
        symbol=ops[0].symbol,
        ops=ops,
        durable=False,
        reserve=False,
        decided_boot_ns=0,
        state_epoch=0,
        lease_epoch=0,
    )


class Inputs:
    """The engine's queue, as a list that can be waited on."""

    def __init__(self) -> None:
        self.all: list[Event] = []

    def put(self, event: Event) -> None:
        self.all.append(event)

    def of(self, kind: type[T]) -> list[T]:
        return [each for each in self.all if isinstance(each, kind)]

    async def until(self, kind: type[T], wanted: Callable[[T], bool] = lambda _: True, *, within_s: float = 10.0) -> T:
        """The first input of a kind that fits; already seen ones count."""
        limit_s = time.monotonic() + within_s
        while True:
            found = next((each for each in self.of(kind) if wanted(each)), None)
            if found is not None:
                return found
            if time.monotonic() > limit_s:
                raise AssertionError(f"no fitting {kind.__name__} among {self.all[-12:]}")
            await asyncio.sleep(0.01)


class Session:
    """A connected adapter with its inputs and the venue it talks to."""

    def __init__(self, venue: CcxtVenue, inputs: Inputs, handle: VenueHandle) -> None:
        self.venue, self.inputs, self.handle = venue, inputs, handle
        self._query_id = 0

    async def write(self, *ops: WireOp) -> list[WriteReply]:
        before = len(self.inputs.of(WriteReply))
        await self.venue.send(send(*ops))
        replies = self.inputs.of(WriteReply)[before:]
        assert [each.op_id for each in replies] == [each.op_id for each in ops]
        return replies

    async def ask(self, kind: QueryKind, **rest: Any) -> QueryReply:
        self._query_id += 1
        query = Query(query_id=self._query_id, kind=kind, symbol="BTCUSDT", **rest)
        await self.venue.query(query)
        answers = [each for each in self.inputs.of(QueryReply) if each.query_id == self._query_id]
        assert len(answers) == 1
        return answers[0]


def settings(handle: VenueHandle, **changes: Any) -> VenueSettings:
    given: dict[str, Any] = {
        "api_key": handle.api_key,
        "api_secret": handle.api_secret,
        "symbols": ("BTCUSDT",),
        "rest": handle.rest,
        "ws": handle.ws,
        "ws_api": handle.ws_api,
        "timeout_ms": 1_000,
    }
    return VenueSettings(**{**given, **changes})


def payloads(folder: Path, pattern: str) -> list[tuple[str, Any]]:
    found = sorted(folder.glob(pattern))
    assert found, pattern
    return [(path.name, json.loads(path.read_text())) for path in found]
