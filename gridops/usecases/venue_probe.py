"""Asks a venue whether it behaves as the emulator assumes: every assumption is listed, those that can be are checked.

A use case of the operator, opt-in and never part of a test against a real account. Reading needs nothing else; one
far, post-only order of least size is placed, amended and cancelled only when the caller allows it. It refuses to place
anything that could trade, and it leaves no order behind.
"""

from collections.abc import Awaitable, Callable, Mapping
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any

from gridops.domain.values import value

Ask = Callable[[str, str, Mapping[str, str]], Awaitable["Answer"]]
"""Method, path and unsigned parameters in, the venue's answer out; signing and transport are the caller's."""

FAR = Decimal("0.85")
"""Price of the probing order as a share of the mark."""


@value
class Answer:
    """Status, parsed JSON body and size in bytes of one reply."""

    status: int
    body: Any
    size: int = 0

    @property
    def code(self) -> int:
        """The venue's refusal code, 0 when it is none."""
        return int(self.body.get("code", 0)) if isinstance(self.body, dict) else 0


class Verdict(StrEnum):
    """What a check has found."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNCHECKED = "unchecked"


@value
class Finding:
    """One assumption with its verdict and what was seen."""

    name: str
    statement: str
    verdict: Verdict
    seen: str


class Desk:
    """What checks share: the way to ask, the symbol, the far order when there is one."""

    def __init__(self, ask: Ask, symbol: str) -> None:
        self.ask, self.symbol = ask, symbol
        self.placed: dict[str, Any] = {}

    async def get(self, path: str, **params: str) -> Answer:
        """A read."""
        return await self.ask("GET", path, params)

    async def rules(self) -> dict[str, Any]:
        """The symbol's entry of exchangeInfo."""
        info = (await self.get("/fapi/v1/exchangeInfo")).body
        rows = {row["symbol"]: dict(row) for row in info["symbols"]}
        found: dict[str, Any] = rows[self.symbol]
        return found

    async def far_order(self) -> dict[str, Any]:
        """Place the one order: post-only, far under the mark, of least size."""
        rules = await self.rules()
        filters = {row["filterType"]: row for row in rules["filters"]}
        mark = Decimal((await self.get("/fapi/v1/premiumIndex", symbol=self.symbol)).body["markPrice"])
        tick, step = Decimal(filters["PRICE_FILTER"]["tickSize"]), Decimal(filters["LOT_SIZE"]["stepSize"])
        price = (mark * FAR / tick).to_integral_value(ROUND_DOWN) * tick
        least = Decimal(filters["MIN_NOTIONAL"]["notional"]) * Decimal("1.1")
        quantity = (least / price / step).to_integral_value(ROUND_UP) * step
        asked = {
            "symbol": self.symbol, "side": "BUY", "type": "LIMIT", "timeInForce": "GTX", "quantity": f"{quantity:f}",
            "price": f"{price:f}", "newOrderRespType": "RESULT",
        }  # fmt: skip
        answer = await self.ask("POST", "/fapi/v1/order", asked)
        if answer.code:
            raise RuntimeError(f"the far order was refused: {answer.body}")
        self.placed = dict(answer.body) | {"tick": tick, "asked": asked}
        return self.placed

    async def clean_up(self) -> None:
        """Cancel the far order, whatever became of the checks."""
        if self.placed:
            await self.ask("DELETE", "/fapi/v1/order", self.own())

    def own(self) -> dict[str, str]:
        """Parameters that name the far order."""
        return {"symbol": self.symbol, "orderId": str(self.placed["orderId"])}


_SHAPELESS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading an answer raises that is not what it should be; the venue was reached and said something else."""
Check = Callable[[Desk], Awaitable[tuple[bool, str]]]


def _refuses(method: str, path: str, code: int, **params: str) -> Check:
    async def check(desk: Desk) -> tuple[bool, str]:
        answer = await desk.ask(method, path, {"symbol": desk.symbol, **params})
        return answer.code == code, f"{answer.status} {answer.code}"

    return check


async def _move_limit(desk: Desk) -> tuple[bool, str]:
    limit = (await desk.rules()).get("maxMoveOrderLimit")
    return limit == 10_000, f"maxMoveOrderLimit {limit}"


async def _info_size(desk: Desk) -> tuple[bool, str]:
    answer = await desk.get("/fapi/v1/exchangeInfo")
    count = len(answer.body["symbols"])
    return answer.size <= 2_000 * max(count, 1) + 5_000, f"{answer.size} bytes for {count} symbols"


async def _brackets(desk: Desk) -> tuple[bool, str]:
    body = (await desk.get("/fapi/v1/leverageBracket", symbol=desk.symbol)).body
    rows = (body[0] if isinstance(body, list) else body)["brackets"]
    joined = all(below["notionalCap"] == above["notionalFloor"] for below, above in pairwise(rows))
    continuous = all(abs(_step(below, above)) < 1 for below, above in pairwise(rows))
    return joined and continuous, f"{len(rows)} brackets"


def _step(below: dict[str, Any], above: dict[str, Any]) -> float:
    """Jump of the maintenance margin where two brackets meet, quote; the venue sends these figures as numbers."""
    at_cap: float = below["notionalCap"] * (above["maintMarginRatio"] - below["maintMarginRatio"])
    return at_cap - float(above["cum"]) + float(below["cum"])


async def _rates(desk: Desk) -> tuple[bool, str]:
    body = (await desk.get("/fapi/v1/commissionRate", symbol=desk.symbol)).body
    maker, taker = Decimal(body["makerCommissionRate"]), Decimal(body["takerCommissionRate"])
    return (maker, taker) == (Decimal("0.0002"), Decimal("0.0005")), f"maker {maker}, taker {taker}"


async def _slim(desk: Desk) -> tuple[bool, str]:
    names = {"avgPrice", "cumQuote"} & desk.placed.keys()
    return not names, f"the reply carries {', '.join(sorted(names)) or 'neither'}"


async def _same_again(desk: Desk) -> tuple[bool, str]:
    answer = await desk.ask("PUT", "/fapi/v1/order", _amended(desk, Decimal(0)))
    return answer.code == -5027, f"{answer.status} {answer.code}"


async def _stp_after_amend(desk: Desk) -> tuple[bool, str]:
    await desk.ask("PUT", "/fapi/v1/order", _amended(desk, desk.placed["tick"]))
    mode = (await desk.get("/fapi/v1/order", **desk.own())).body.get("selfTradePreventionMode")
    return mode == "NONE", f"selfTradePreventionMode {mode}"


async def _modify_id(desk: Desk) -> tuple[bool, str]:
    changed = _amended(desk, desk.placed["tick"] * 2) | {"modifyId": "71"}
    echoed = (await desk.ask("PUT", "/fapi/v1/order", changed)).body.get("modifyId")
    return str(echoed) == "71", f"modifyId {echoed}"


def _amended(desk: Desk, lower: Decimal) -> dict[str, str]:
    """The far order at another price, always further from the market."""
    asked = desk.placed["asked"]
    price = Decimal(asked["price"]) - lower
    return desk.own() | {"side": "BUY", "quantity": asked["quantity"], "price": f"{price:f}"}


@value
class Assumption:
    """`check` is None where only watching a live account over time can tell."""

    name: str
    statement: str
    check: Check | None = None
    needs_order: bool = False


_ODD = {"side": "BUY", "type": "MARKET", "quantity": "1"}
ASSUMPTIONS: tuple[Assumption, ...] = (
    Assumption("amend-unknown", "An amendment of an unknown order answers -2013.",
               _refuses("PUT", "/fapi/v1/order", -2013, orderId="1", side="BUY", quantity="1", price="1")),
    Assumption("cancel-unknown", "A cancel of an unknown order answers -2011.",
               _refuses("DELETE", "/fapi/v1/order", -2011, orderId="1")),
    Assumption("query-unknown", "A query of an unknown order answers -2013.",
               _refuses("GET", "/fapi/v1/order", -2013, orderId="1")),
    Assumption("stop-on-order", "A stop order on the order route answers -4120.",
               _refuses("POST", "/fapi/v1/order/test", -4120, **(_ODD | {"type": "STOP_MARKET", "stopPrice": "1"}))),
    Assumption("move-limit", "An order can be amended 10,000 times.", _move_limit),
    Assumption("info-size", "exchangeInfo takes about 1.4 kB a symbol.", _info_size),
    Assumption("brackets", "Leverage brackets join without a gap and maintenance margin is continuous.", _brackets),
    Assumption("rates", "Fees are 0.02 % for makers and 0.05 % for takers.", _rates),
    Assumption("slim-replies", "Order replies carry neither avgPrice nor cumQuote.", _slim, True),
    Assumption("amend-same", "An amendment that changes nothing answers -5027.", _same_again, True),
    Assumption("amend-stp", "An amendment sets self-trade prevention to NONE.", _stp_after_amend, True),
    Assumption("modify-id", "modifyId is echoed in the reply.", _modify_id, True),
    Assumption("amend-crossing", "A post-only amendment that would take ends as CANCELED on the stream."),
    Assumption("order-limit-status", "-1015 arrives with HTTP 429."),
    Assumption("calendar-windows", "Weight and order counts fall to zero at calendar minutes and ten seconds."),
    Assumption("bnb-discount", "Fees paid in BNB are ten per cent cheaper."),
    Assumption("reduce-only-cut", "A reduce-only order that cannot rest is cut to the position, not refused."),
    Assumption("reduce-only-expiry", "Reduce-only orders that lose their room expire worst price first."),
    Assumption("margin-call", "A margin call goes out when maintenance reaches four fifths of the margin balance."),
    Assumption("take-over", "What the book cannot absorb of a liquidation is taken over at the mark."),
    Assumption("trigger-margin", "A conditional order is judged by the margin rules of the moment it is set off."),
    Assumption("hedge-closing", "In hedge mode an order that closes a side counts as reduce-only and shows it."),
    Assumption("hedge-margin", "In hedge mode both positions and the orders that open either bind margin in full."),
    Assumption("isolated-fees", "Commissions of an isolated position are paid from the cross balance."),
    Assumption("isolated-close", "A partial close releases its share of the margin; the rest covers more loss."),
    Assumption("isolated-take-out", "A loss and the initial margin at the mark cannot be taken out of a position."),
    Assumption("margin-history", "The margin history lists deliberate changes only, not what fills moved."),
    Assumption("conditional-memory", "A conditional order that became no order is known for three days."),
    Assumption("own-in-depth", "Our own resting orders are part of the public depth."),
    Assumption("queue", "Cancellations of a level are spread evenly over its queue."),
    Assumption("trade-stream", "The @trade stream is served although no longer listed."),
    Assumption("strikes", "Ten requests sent on after 429 bring the ban."),
)  # fmt: skip
"""Every assumption of the emulator that its sources do not prove."""


async def probe(ask: Ask, symbol: str, *, with_order: bool = False) -> list[Finding]:
    """Check what can be checked, in order; `with_order` allows the one far order. Transport errors pass through."""
    desk, findings = Desk(ask, symbol), []
    try:
        for assumption in ASSUMPTIONS:
            findings.append(await _judge(desk, assumption, with_order=with_order))
    finally:
        await desk.clean_up()
    return findings


async def _judge(desk: Desk, assumption: Assumption, *, with_order: bool) -> Finding:
    name, statement, check = assumption.name, assumption.statement, assumption.check
    if check is None:
        return Finding(name, statement, Verdict.UNCHECKED, "only a live account over time can tell")
    if assumption.needs_order and not with_order:
        return Finding(name, statement, Verdict.UNCHECKED, "needs one far order, which was not allowed")
    if assumption.needs_order and not desk.placed:
        await desk.far_order()
    try:
        holds, seen = await check(desk)
    except _SHAPELESS as error:
        return Finding(name, statement, Verdict.UNCHECKED, f"the answer was of another shape ({type(error).__name__})")
    return Finding(name, statement, Verdict.CONFIRMED if holds else Verdict.REFUTED, seen)
