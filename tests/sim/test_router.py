"""Whatever becomes of answers and reports, in the end the venue holds the ladder that was wanted, each rung once.

Answers are lost after the venue acted, come late, come after their event, say 503 for what was done; events come twice
and out of order. Judged is the venue's own list of open orders against the targets of the newest plan.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.domain.orders import Order
from gridops.domain.plan import Plan, Target
from gridops.domain.records import OutboxRefused, Sent
from gridops.domain.rules import RouterRules
from gridops.domain.vocabulary import OpKind
from gridops.runtime import codec
from gridops.runtime.ports_journal import JournalRow
from gridops.sim.day import ACCOUNT, RULES, Day
from gridops.sim.faults import FaultRates
from gridops.sim.rest_link import RestFaults
from gridops.sim.scheduler import LinkRates
from tests.effort import FULL

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(1_800)]

SEEDS = 500 if FULL else 30
NOISE = FaultRates(
    rest=RestFaults(drop_reply=60_000, hidden_success=60_000, unknown_undone=20_000, late_request=20_000),
    user=LinkRates(duplicate_ppm=150_000, reorder_ppm=100_000, slow_ppm=100_000),
)
MINUTES = 2
RESTLESS = replace(RULES, grid=replace(RULES.grid, spacing_cbps=100), router=RouterRules(hold_band_pct=10))
"""Rungs near the market and hardly a band: much is filled and moved."""


class Watched:
    """The production router with the newest question it was asked, what was journaled, and what left."""

    def __init__(self) -> None:
        self.targets: Sequence[Target] = ()
        self.ctx: RouteContext | None = None
        self.intended: dict[int, tuple[str, int, int]] = {}
        """Amends by operation number: client id, price, total lots."""
        self.legs: list[Mapping[str, Any]] = []

    def __call__(self, targets: Sequence[Target], orders: Sequence[Order], ctx: RouteContext) -> Plan:
        self.targets, self.ctx = targets, ctx
        return route(targets, orders, ctx)

    def on_row(self, row: JournalRow) -> None:
        """A row became durable: what was intended, and what the last hop refused."""
        for said in codec.records_of(codec.decode_row(row.body)):
            if isinstance(said, Sent) and said.kind is OpKind.AMEND:
                self.intended[said.op_id] = (said.client_id, said.price_ticks, said.lots)
            elif isinstance(said, OutboxRefused):
                self.intended.pop(said.op_id, None)

    def on_write(self, method: str, path: str, params: Mapping[str, Any]) -> None:
        """A request leaves the process."""
        if method == "PUT" and "order" in path.lower():
            self.legs += params.get("batchOrders", [params])


def noisy_day(seed: int) -> tuple[Day, Watched]:
    watched = Watched()
    day = Day(seed, hours=MINUTES / 60, faults=NOISE, market=f"light:{seed}", rules=RESTLESS, planner=watched)
    day.disk.on_row.append(watched.on_row)
    judged = day.rest.on_write

    def on_write(method: str, path: str, params: dict[str, Any]) -> None:
        judged(method, path, params)
        watched.on_write(method, path, params)

    day.rest.on_write = on_write
    try:
        day.run()
    finally:
        day.close()
    return day, watched


def resting(day: Day) -> list[dict[str, Any]]:
    """Open orders by the venue's own books."""
    truth = day.core.truth()["orders"]
    return [each for each in truth if each["account"] == ACCOUNT and each["status"] in ("NEW", "PARTIALLY_FILLED")]


def judge_final(day: Day, watched: Watched) -> None:
    """One order for each target, none besides: nearest first on each side, within the band and the size allowed."""
    ctx, grid = watched.ctx, day.grid
    assert ctx is not None
    now_ms = ctx.now_ms
    for side in ("BUY", "SELL"):
        held = sorted(
            (
                grid.price.exact(each["price"]),
                grid.quantity.exact(each["origQty"]) - grid.quantity.exact(each["executedQty"]),
                each["reduceOnly"],
            )
            for each in resting(day)
            if each["side"] == side
        )
        wanted = sorted((t.price_ticks, t.lots, t.reduce_only) for t in watched.targets
                        if t.side == side and t.wait_until_ms <= now_ms)  # fmt: skip
        where = f"seed {day.seed} {side}: {held} for {wanted}"
        assert len(held) == len(wanted), where
        band = ctx.spacing_ticks * ctx.rules.hold_band_pct // 100
        for (price, lots, _), (target, target_lots, _) in zip(held, wanted, strict=True):
            assert abs(price - target) <= band, where
            assert abs(lots - target_lots) * 100 <= ctx.rules.hold_lots_pct * target_lots, where
        assert Counter(each[2] for each in held) == Counter(each[2] for each in wanted), where


def judge_amends(watched: Watched, day: Day) -> int:
    """The amends journaled and let go are the PUT legs that left, one for one; how many."""
    names = {int(each["orderId"]): each["clientOrderId"] for each in day.core.truth()["orders"]}
    left = Counter(
        (names[int(leg["orderId"])], day.grid.price.exact(leg["price"]), day.grid.quantity.exact(leg["quantity"]))
        for leg in watched.legs
    )
    assert left == Counter(watched.intended.values()), f"seed {day.seed}"
    return left.total()


@pytest.mark.parametrize("block", range(10))
def test_the_ladder_at_the_venue_is_the_one_wanted(block: int) -> None:
    seeds = range(block * SEEDS // 10, (block + 1) * SEEDS // 10)
    amends = 0
    for seed in seeds:
        day, watched = noisy_day(40_000 + seed)
        judge_final(day, watched)
        amends += judge_amends(watched, day)
    assert amends > 0, "no order was ever amended: the test looked at nothing"
