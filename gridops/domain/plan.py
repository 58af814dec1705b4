"""What the router is asked and what it answers: targets, requests, decisions, and the plan that carries them."""

from gridops.domain.values import record, value
from gridops.domain.vocabulary import (
    Decision,
    Gate,
    Intent,
    OpKind,
    OrderType,
    RouterReason,
    Side,
    TimeInForce,
)


@value
class Target:
    """One rung we would like to have resting. `level` is -1, -2, ... for buys and +1, +2, ... for sells."""

    level: int
    symbol: str
    side: Side
    price_ticks: int
    lots: int
    """Remaining quantity wanted at the venue."""
    reduce_only: bool
    tif: TimeInForce = TimeInForce.GTX
    order_type: OrderType = OrderType.LIMIT
    wait_until_ms: int = 0
    """Not before this venue time (refill delay); 0 = now."""


@value
class Request:
    """One operation as the gates judge it. For an amend, `lots` is the new total and `price_ticks` the new price."""

    kind: OpKind
    intent: Intent
    symbol: str
    side: Side
    price_ticks: int
    lots: int
    reduce_only: bool
    order_type: OrderType = OrderType.LIMIT
    tif: TimeInForce = TimeInForce.GTX
    client_id: str = ""
    level: int = 0
    own_epoch: int = 0
    """Lease epoch of the order a cancel or amend names."""


@value
class Verdict:
    """One gate's answer. `detail` is for the operator, in figures."""

    gate: Gate
    allowed: bool
    detail: str = ""


@value
class Cost:
    """What an operation spends. `bare_ms` = expected time a level has no order; `queue_lots` = lots losing a place."""

    calls: int = 0
    weight: int = 0
    orders: int = 0
    bare_ms: int = 0
    queue_lots: int = 0
    queue_cbps: int = 0
    """What the place given up is worth, in cbps of its notional; 0 away from the touch."""


@value
class Op:
    """One operation of a plan. Ids are local to the plan; `after` names operations whose confirmation it waits for."""

    index: int
    kind: OpKind
    intent: Intent
    symbol: str
    level: int
    side: Side
    price_ticks: int
    lots: int
    """Place: quantity. Amend: the new total. Cancel: 0."""
    reduce_only: bool
    order_type: OrderType
    tif: TimeInForce
    client_id: str
    """Of the order that an amend or cancel names; empty for a place (the engine mints it)."""
    after: tuple[int, ...] = ()


@value
class Choice:
    """One decision about one level, with the case it judged and the runner-up."""

    symbol: str
    level: int
    decision: Decision
    reason: RouterReason
    side: Side
    client_id: str
    """The working order judged; empty for a new level."""
    from_ticks: int
    from_lots: int
    to_ticks: int
    to_lots: int
    cost: Cost
    gate: Gate | None = None
    """The first refusal, when the reason is `blocked_gate`."""
    retry_ms: int = 0
    """When a deferred decision will be tried again; 0 = at the next change."""
    runner_up: Decision | None = None
    runner_up_cost: Cost | None = None
    ahead_lots: int = -1
    """Estimate of the queue before the working order; -1 = it has not stood at the touch."""


@record
class Plan:
    """Everything decided at one moment for one symbol. `ops` are in sending order."""

    choices: tuple[Choice, ...]
    ops: tuple[Op, ...]
    wce_before: int
    """Worst-case exposure in units (ticks x lots)."""
    wce_after: int
    wake_ms: int = 0
    """Earliest venue time at which a deferred decision should be looked at again; 0 = none."""
    quiet_low_mid2: int = 0
    """While twice the mid stays in [quiet_low_mid2, quiet_high_mid2] and nothing else changes, the plan stands."""
    quiet_high_mid2: int = 0
