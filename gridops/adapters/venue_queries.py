"""Reads of the venue: one Query in, one QueryReply out, complete or not ok.

A read that fails anywhere says nothing at all (`ok` False): absence is not zero. It pages nothing and repeats nothing;
`complete` False tells the engine that the list may have been cut at the venue's page size.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from gridops.adapters import venue_parse as parse
from gridops.adapters.ccxt_client import Reply
from gridops.adapters.venue_codes import Verdict, failure
from gridops.adapters.venue_parse import ForeignSymbol, Grids, Malformed, Row
from gridops.adapters.venue_wire import Wire
from gridops.domain.effects import Query
from gridops.domain.events import Event, VenueNotice
from gridops.domain.instrument import Instrument
from gridops.domain.orders import VenueModes
from gridops.domain.vocabulary import QueryKind, VenueCode

PAGE = 1_000
"""Largest page of userTrades and income."""


class ReadFailed(Exception):
    """A read that gave no complete answer."""

    def __init__(self, code: VenueCode, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class VenueReads:
    """The reads, each as the fields of its reply. ReadFailed when the answer is not whole."""

    def __init__(
        self, *, wire: Wire, symbols: Sequence[str], grids: Callable[[], Grids], put: Callable[[Event], None]
    ) -> None:
        self._wire, self._symbols, self._grids, self._put = wire, tuple(symbols), grids, put

    async def answer(self, query: Query, wall_ms: Callable[[], int]) -> dict[str, Any]:
        """What the QueryReply of this query carries beyond its envelope."""
        match query.kind:
            case QueryKind.ORDER:
                return await self._order(query)
            case QueryKind.OPEN_ORDERS:
                return await self._open_orders(query)
            case QueryKind.POSITIONS:
                return await self._account()
            case QueryKind.TRADES:
                return await self._trades(query)
            case QueryKind.INCOME:
                return await self._incomes(query)
            case QueryKind.TIME:
                return {"clock_offset_ms": await self.offset_ms(wall_ms)}
            case QueryKind.RULES:
                # One after the other: nobody waits for either.
                instruments, leverages = await self.rules(), await self.leverages()
                return {"instruments": instruments, "leverages": tuple(sorted(leverages.items()))}

    async def offset_ms(self, wall_ms: Callable[[], int]) -> int:
        """Venue clock minus ours, from the midpoint of one request."""
        sent_ms = wall_ms()
        payload = await self._read("fapiPublicGetTime")
        received_ms = wall_ms()
        server_ms = parse.whole(parse.row(payload), "serverTime")
        return server_ms - (sent_ms + received_ms) // 2

    async def rules(self) -> tuple[Instrument, ...]:
        """The whitelisted symbols the venue lists."""
        return parse.instruments(await self._read("fapiPublicGetExchangeInfo"), self._symbols)

    async def modes(self) -> VenueModes:
        """accountConfig carries the three modes in one read of weight 5; the two dedicated reads cost 30 each."""
        return parse.modes(await self._read("fapiPrivateGetAccountConfig"))

    async def isolated_symbols(self) -> tuple[str, ...]:
        """Whitelisted symbols whose margin type is not cross."""
        found = parse.rows(await self._read("fapiPrivateGetSymbolConfig"))
        isolated = {parse.text(each, "symbol") for each in found if parse.text(each, "marginType") != "CROSSED"}
        return tuple(sorted(isolated.intersection(self._symbols)))

    async def leverages(self) -> dict[str, int]:
        """Leverage of each whitelisted symbol."""
        found = parse.rows(await self._read("fapiPrivateGetSymbolConfig"))
        told = {parse.text(each, "symbol"): parse.whole(each, "leverage") for each in found}
        return {name: told[name] for name in self._symbols if name in told}

    async def _order(self, query: Query) -> dict[str, Any]:
        params = {"symbol": query.symbol, "origClientOrderId": query.client_id}
        reply = await self._wire.call("fapiPrivateGetOrder", params)
        failed = _failure(reply)
        if failed is not None and failed.code is VenueCode.NO_SUCH_ORDER:
            return {"code": VenueCode.NO_SUCH_ORDER}
        order = parse.order(parse.row(self._whole(reply)), self._grids())
        if order.client_id != query.client_id:
            raise Malformed("the reply names another order")
        return {"orders": (order,)}

    async def _open_orders(self, query: Query) -> dict[str, Any]:
        payload = await self._read("fapiPrivateGetOpenOrders", {"symbol": query.symbol} if query.symbol else {})
        return {"orders": tuple(self._known(payload, parse.order))}

    async def _account(self) -> dict[str, Any]:
        positions, account, modes = await self._account_parts()
        held = self._known(positions, parse.position)
        listed = {each.symbol for each in held}
        held += [parse.flat(symbol) for symbol in self._grids() if symbol not in listed]
        return {"positions": tuple(held), "balances": parse.balances(account), "modes": modes, **parse.margin(account)}

    async def _account_parts(self) -> tuple[object, object, VenueModes]:
        """Positions, balances and modes, asked at once."""
        return await asyncio.gather(
            self._read("fapiPrivateV3GetPositionRisk"), self._read("fapiPrivateV3GetAccount"), self.modes()
        )

    async def _trades(self, query: Query) -> dict[str, Any]:
        params: dict[str, Any] = {"symbol": query.symbol, "limit": PAGE}
        if query.from_id:
            params["fromId"] = query.from_id
        found = parse.rows(await self._read("fapiPrivateGetUserTrades", params))
        trades = sorted((parse.trade(each, self._grids()) for each in found), key=lambda each: each.trade_id)
        return {"trades": tuple(trades), "complete": len(trades) < PAGE}

    async def _incomes(self, query: Query) -> dict[str, Any]:
        params: dict[str, Any] = {"limit": PAGE}
        if query.since_ms:
            params["startTime"] = query.since_ms
        found = parse.rows(await self._read("fapiPrivateGetIncome", params))
        return {"incomes": tuple(parse.income(each) for each in found), "complete": len(found) < PAGE}

    def _known(self, payload: object, read: Callable[[Row, Grids], Any]) -> list[Any]:
        """The rows of our symbols; of a foreign one the engine learns by a notice, as we cannot count its lots."""
        found = []
        for each in parse.rows(payload):
            try:
                found.append(read(each, self._grids()))
            except ForeignSymbol:
                symbol = str(each.get("symbol"))[:32]
                self._put(VenueNotice(kind="foreign_symbol", symbol=symbol, detail=read.__name__, event_ms=0))
        return found

    async def _read(self, endpoint: str, params: dict[str, Any] | None = None) -> object:
        return self._whole(await self._wire.call(endpoint, params))

    def _whole(self, reply: Reply) -> object:
        failed = _failure(reply)
        if failed is not None:
            detail = f"{failed.number} {failed.detail}" if failed.number else failed.detail
            raise ReadFailed(failed.code, self._wire.clean(detail))
        return reply.payload


def _failure(reply: Reply) -> Verdict | None:
    return failure(reply.status, reply.payload, reply.body if reply.status else f"no answer ({reply.failure})")
