"""The order that closes a position moves in place: the position is never left bare, nor reduced twice over.

Cancel first leaves the position without its exit when the place is refused; place first sums the reduce-only orders
above the position. Judged event by event at the venue, while an exit is moved with the price, also while the venue or a
gate refuses every new order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.domain.orders import Order
from gridops.domain.plan import Plan, Target
from gridops.runtime.act import Planner
from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_run import run_drill
from gridops.sim.drill_spec import parse
from tests.effort import FULL

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(300)]

SEEDS = 20 if FULL else 2
REFUSED: Mapping[str, list[dict[str, Any]]] = {
    "nothing": [],
    "reduce-only": [{"do": "refuse", "path": "rder", "method": "POST", "code": -4118, "for_s": 25, "plus_s": 5}],
    "rejected": [{"do": "refuse", "path": "rder", "method": "POST", "code": -2022, "for_s": 25, "plus_s": 5}],
    "budget": [{"do": "used_weight", "weight": 1950, "for_s": 25, "plus_s": 5}],
    "paused": [{"do": "pause", "plus_s": 5}],
}
"""What keeps new orders from the venue while the exit is to move."""


class Watch:
    """Own closing orders and the position, after every private event of the venue."""

    def __init__(self, day: DrillDay) -> None:
        self.day, self.events, self.amended = day, 0, 0
        self.bare: list[str] = []
        self.over: list[str] = []
        self._covered = 0
        told = day.judge.on_private

        def heard(payload: Mapping[str, Any]) -> None:
            told(payload)
            if payload["e"] == "ORDER_TRADE_UPDATE":
                self._look(payload["o"])

        day.judge.on_private = heard  # type: ignore[method-assign]

    def _look(self, said: Mapping[str, Any]) -> None:
        judge = self.day.judge
        held = judge.position
        exits = [each for each in judge.live.values() if each.reduce_only and each.sign * held < 0]
        covered = sum(each.lots - each.filled for each in exits)
        where = f"{self.day.now_ms()} ms: {said['x']} {said['S']} {said['c']}: {covered} lots cover {held}"
        if covered > abs(held):
            self.over.append(where)
        if held and said["x"] != "TRADE" and self._covered and not covered:
            self.bare.append(where)
        self.events += 1
        self.amended += said["x"] == "AMENDMENT" and said["R"]
        self._covered = covered


def watched(refused: str, seed: int, planner: Planner = route) -> tuple[Watch, list[str]]:
    """A position is bought, then the price glides down and up around it. What was seen, and what the drill fails by."""
    step: list[dict[str, Any]] = [
        {"after": "state ACTIVE", "plus_s": [4, 8], "do": "fill_nearest", "side": "BUY", "lots": 6},
        *REFUSED[refused],
        {"name": "fault", "plus_s": 1, "do": "price", "move_bps": -1, "over_s": 8},
        {"plus_s": 10, "do": "price", "move_bps": 1, "over_s": 8},
        {"plus_s": 10, "do": "price", "move_bps": -2, "over_s": 8},
    ]
    settings = {"grid.spacing_bps": 4, "grid.hold_band": 0, "grid.levels": 3,
                "grid.volatility_scaled": False, "grid.regime_scaled": False}  # fmt: skip
    said = {
        "name": "exit", "title": "t", "shows": "s", "runbook": "router", "run_s": 60, "settings": settings,
        "step": step, "expect": [{"that": "books_equal"}, {"that": "holding", "since": "fault"}],
    }  # fmt: skip
    found: list[Watch] = []

    def prepare(day: DrillDay) -> None:
        day.planner = planner
        found.append(Watch(day))

    report = run_drill(parse(said, "exit"), seed, prepare=prepare)
    return found[0], [check.says for check in report.checks if not check.ok]


@pytest.mark.parametrize("refused", REFUSED)
def test_moving_the_exit_leaves_the_position_covered_and_never_twice(refused: str) -> None:
    for seed in range(SEEDS):
        watch, failed = watched(refused, seed)
        assert failed == [] and watch.over == [] and watch.bare == [], seed
        assert watch.amended >= 50, "the exit hardly moved: nothing was looked at"


def test_a_router_that_cannot_amend_leaves_the_position_bare() -> None:
    """What the test above would say of cancel and replace."""

    def never_amends(targets: Sequence[Target], orders: Sequence[Order], ctx: RouteContext) -> Plan:
        return route(targets, orders, replace(ctx, rules=replace(ctx.rules, amend_supported=False)))

    watch, _ = watched("rejected", 0, never_amends)
    assert watch.amended == 0 and watch.bare != []
