"""Order operations as request fields, and replies as outcomes, one per operation.

Between the engine's WireOp and the venue's JSON. Prices and quantities go out as strings. A reply that names another
order, or fewer legs than were sent, confirms nothing: the operation stays UNKNOWN.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gridops.adapters import venue_parse as parse
from gridops.adapters.ccxt_client import Reply
from gridops.adapters.venue_codes import Verdict, failure, leg_failure
from gridops.adapters.venue_parse import Grid, Grids, Malformed
from gridops.domain.effects import WireOp
from gridops.domain.orders import VenueOrder
from gridops.domain.values import record
from gridops.domain.vocabulary import OpKind, OrderType, VenueCode, WriteOutcome

Clean = Callable[[str], str]

SINGLE = {
    OpKind.PLACE: "fapiPrivatePostOrder",
    OpKind.AMEND: "fapiPrivatePutOrder",
    OpKind.CANCEL: "fapiPrivateDeleteOrder",
    OpKind.CANCEL_ALL: "fapiPrivateDeleteAllOpenOrders",
    OpKind.DEADMAN: "fapiPrivatePostCountdownCancelAll",
}
BATCH = {
    OpKind.PLACE: ("fapiPrivatePostBatchOrders", 5),
    OpKind.AMEND: ("fapiPrivatePutBatchOrders", 5),
    OpKind.CANCEL: ("fapiPrivateDeleteBatchOrders", 10),
}
"""Endpoint and the venue's largest batch."""


@record
class Call:
    """One request and the operations it carries, in the order of its legs."""

    endpoint: str
    params: dict[str, Any]
    ops: tuple[WireOp, ...]
    batch: bool


@record
class Result:
    """What became of one operation."""

    outcome: WriteOutcome
    code: VenueCode
    number: int
    detail: str
    order: VenueOrder | None


def calls(ops: Sequence[WireOp], grid: Grid) -> Iterator[Call]:
    """The requests for operations of one kind and symbol: batched where the venue has batches."""
    kind = ops[0].kind
    if len(ops) == 1 or kind not in BATCH:
        yield from (Call(endpoint=SINGLE[kind], params=fields(op, grid), ops=(op,), batch=False) for op in ops)
        return
    endpoint, most = BATCH[kind]
    for at in range(0, len(ops), most):
        part = tuple(ops[at : at + most])
        if kind is not OpKind.CANCEL:
            params: dict[str, Any] = {"batchOrders": [fields(op, grid) for op in part]}
        elif all(op.venue_id for op in part):
            params = {"symbol": part[0].symbol, "orderidlist": [op.venue_id for op in part]}
        else:
            params = {"symbol": part[0].symbol, "origclientorderidlist": [op.client_id for op in part]}
        yield Call(endpoint=endpoint, params=params, ops=part, batch=True)


def fields(op: WireOp, grid: Grid) -> dict[str, Any]:
    """The venue's parameters of one operation."""
    if op.kind is OpKind.CANCEL_ALL:
        return {"symbol": op.symbol}
    if op.kind is OpKind.DEADMAN:
        return {"symbol": op.symbol, "countdownTime": str(op.countdown_ms)}
    if op.kind is OpKind.CANCEL:
        return {"symbol": op.symbol, **_identity(op)}
    sized = {"symbol": op.symbol, "side": str(op.side), "quantity": grid.quantity.text(op.lots)}
    if op.kind is OpKind.AMEND:
        return {**sized, "price": grid.price.text(op.price_ticks), **_identity(op)}
    placed = {**sized, "type": str(op.order_type), "newClientOrderId": op.client_id, "newOrderRespType": "RESULT"}
    if op.order_type is OrderType.LIMIT:
        placed |= {"price": grid.price.text(op.price_ticks), "timeInForce": str(op.tif)}
    if op.reduce_only:
        placed["reduceOnly"] = "true"
    return placed


def results(call: Call, reply: Reply, known: Grids, clean: Clean) -> list[Result]:
    """One result per operation of the call, in its order."""
    failed = failure(reply.status, reply.payload, reply.body if reply.status else f"no answer ({reply.failure})")
    if failed is not None:
        return [_from(failed, clean)] * len(call.ops)
    if not call.batch:
        return [_result(call.ops[0], reply.payload, known, clean)]
    legs = reply.payload if isinstance(reply.payload, list) else []
    if len(legs) != len(call.ops):
        # Positions no longer say which leg is whose; ids do, for the legs that have one.
        legs = [next((leg for leg in legs if _names(leg, op)), None) for op in call.ops]
    return [_leg(op, leg, known, clean) for op, leg in zip(call.ops, legs, strict=True)]


def unknown(code: VenueCode, detail: str) -> Result:
    """Nothing is proven."""
    return Result(outcome=WriteOutcome.UNKNOWN, code=code, number=0, detail=detail, order=None)


def denied(code: VenueCode, detail: str) -> Result:
    """Nothing left this process."""
    return Result(outcome=WriteOutcome.DENIED, code=code, number=0, detail=detail, order=None)


def _leg(op: WireOp, payload: object, known: Grids, clean: Clean) -> Result:
    failed = leg_failure(payload)
    if failed is None:
        return _result(op, payload, known, clean)
    if isinstance(payload, dict) and "status" in payload:
        # An order and an error in one leg contradict each other.
        return unknown(failed.code, clean(f"error {failed.number} beside an order: {failed.detail}"))
    return _from(failed, clean)


def _result(op: WireOp, payload: object, known: Grids, clean: Clean) -> Result:
    if op.kind in (OpKind.CANCEL_ALL, OpKind.DEADMAN):
        if not isinstance(payload, dict):
            return unknown(VenueCode.OTHER, "an odd reply")
        return Result(outcome=WriteOutcome.CONFIRMED, code=VenueCode.OK, number=0, detail="", order=None)
    try:
        order = parse.order(parse.row(payload), known)
    except Malformed as error:
        return unknown(VenueCode.OTHER, clean(f"an odd reply: {error}"))
    if not _names(payload, op):
        return unknown(VenueCode.OTHER, "the reply names another order")
    return Result(outcome=WriteOutcome.CONFIRMED, code=VenueCode.OK, number=0, detail="", order=order)


def _names(payload: object, op: WireOp) -> bool:
    if not isinstance(payload, dict):
        return False
    if op.venue_id and op.kind is not OpKind.PLACE:
        return str(payload.get("orderId")) == op.venue_id
    return payload.get("clientOrderId") == op.client_id


def _identity(op: WireOp) -> dict[str, str]:
    return {"orderId": op.venue_id} if op.venue_id else {"origClientOrderId": op.client_id}


def _from(verdict: Verdict, clean: Clean) -> Result:
    return Result(
        outcome=verdict.outcome,
        code=verdict.code,
        number=verdict.number,
        detail=clean(verdict.detail),
        order=None,
    )
