"""B5: client CPU per order operation through the venue adapter, against ccxt's unified calls on the same stub.

One request at a time; the whole client counts: building, signing, HTTP, parsing, and the event loop's own work.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from gridops.adapters import ccxt_client
from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.ccxt_venue import CcxtVenue
from gridops.domain.effects import Send, WireOp
from gridops.domain.events import Event, WriteReply
from gridops.domain.vocabulary import Intent, OpKind, OrderType, Side, TimeInForce, WriteOutcome
from tests.bench import order_stub
from tests.bench.b11_rules import exchange_info
from tests.bench.instant_venue import BTC, SYMBOL
from tests.bench.table import Result, times, us

CALLS, ROUNDS = 12, 25
PEER = "ccxt create_order 944 us, edit 846, cancel 740"
AIMS = {"place": 0.8, "amend": 0.8, "cancel": 0.8, "place, five in a batch": 0.25, "amend, five in a batch": 0.25}
AGAINST = {"place": "create_order", "amend": "edit_order", "cancel": "cancel_order"}

Call = Callable[[], Awaitable[None]]


def run() -> list[Result]:
    """Single calls of each kind, and batches of five, per operation."""
    with order_stub.serving() as url:
        measured = asyncio.run(_measured(url))
    results = []
    for what, aim in AIMS.items():
        unified = AGAINST[what.split(",")[0]]
        ours, theirs = measured[what], measured[unified]
        results.append(
            Result(
                row="B5",
                what=f"{what}, CPU per operation",
                here=us(ours),
                against=f"ccxt {unified}: {us(theirs)}",
                ratio=times(ours / theirs),
                aim=f"<= {aim}x",
                peer=PEER,
                met=ours <= aim * theirs,
            )
        )
    return results


async def _measured(url: str) -> dict[str, float]:
    settings = VenueSettings(
        api_key="k" * 64, api_secret="s" * 64, symbols=(SYMBOL,), rest=url, ws=url.replace("http", "ws")
    )
    adapter, unified = _Adapter(settings), _Unified(settings)
    calls: dict[str, tuple[Call, int]] = {
        "place": (lambda: adapter.send(OpKind.PLACE, 1), 1),
        "create_order": (unified.create, 1),
        "amend": (lambda: adapter.send(OpKind.AMEND, 1), 1),
        "edit_order": (unified.edit, 1),
        "cancel": (lambda: adapter.send(OpKind.CANCEL, 1), 1),
        "cancel_order": (unified.cancel, 1),
        "place, five in a batch": (lambda: adapter.send(OpKind.PLACE, 5), 5),
        "amend, five in a batch": (lambda: adapter.send(OpKind.AMEND, 5), 5),
    }
    try:
        return await _interleaved(calls)
    finally:
        await adapter.venue.close()
        await unified.exchange.close()


async def _interleaved(calls: dict[str, tuple[Call, int]]) -> dict[str, float]:
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(ROUNDS + 1):
        for name, (call, operations) in calls.items():
            began = time.thread_time_ns()
            for _ in range(CALLS):
                await call()
            if number:
                spent[name].append((time.thread_time_ns() - began) / CALLS / operations)
    return {name: median(values) for name, values in spent.items()}


class _Adapter:
    """The venue adapter with one symbol's rules, and a check that every operation is confirmed."""

    def __init__(self, settings: VenueSettings) -> None:
        self.venue = CcxtVenue(settings=settings, put=self._put)
        self.venue._learn((BTC,))
        self._numbered = 0

    async def send(self, kind: OpKind, many: int) -> None:
        ops = tuple(self._op(kind) for _ in range(many))
        await self.venue.send(
            Send(
                kind=kind,
                symbol=SYMBOL,
                ops=ops,
                durable=True,
                reserve=False,
                decided_boot_ns=0,
                state_epoch=0,
                lease_epoch=0,
            )
        )

    def _put(self, event: Event) -> None:
        assert not isinstance(event, WriteReply) or event.outcome is WriteOutcome.CONFIRMED, event

    def _op(self, kind: OpKind) -> WireOp:
        self._numbered += 1
        return WireOp(
            op_id=self._numbered,
            kind=kind,
            intent=Intent.INCREASE,
            symbol=SYMBOL,
            client_id=f"gobnch0000001n{self._numbered:018x}",
            venue_id="" if kind is OpKind.PLACE else "80000000001",
            side=Side.BUY,
            level=-1,
            price_ticks=600_000 + self._numbered % 50,
            lots=10,
            reduce_only=False,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.GTX,
        )


class _Unified:
    """ccxt as its documentation shows it: unified methods, markets loaded, no rate limiter."""

    def __init__(self, settings: VenueSettings) -> None:
        from ccxt.async_support import binanceusdm

        self.exchange: Any = binanceusdm({"apiKey": "k" * 64, "secret": "s" * 64, "enableRateLimit": False})
        ccxt_client.point(self.exchange, settings)
        body, _ = exchange_info()
        rows = json.loads(body)["symbols"]
        rows[0] |= {"symbol": SYMBOL, "baseAsset": "BTC", "quoteAsset": "USDT", "marginAsset": "USDT"}
        self.exchange.set_markets(self.exchange.parse_markets(rows))
        self._numbered = 0

    async def create(self) -> None:
        self._numbered += 1
        await self.exchange.create_order(
            "BTC/USDT:USDT", "limit", "buy", 0.01, 60_000 + self._numbered % 50, {"timeInForce": "GTX"}
        )

    async def edit(self) -> None:
        self._numbered += 1
        await self.exchange.edit_order(
            "80000000001", "BTC/USDT:USDT", "limit", "buy", 0.01, 60_000 + self._numbered % 50
        )

    async def cancel(self) -> None:
        await self.exchange.cancel_order("80000000001", "BTC/USDT:USDT")
