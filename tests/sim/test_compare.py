"""The router against the three baselines on a reduced field: at or below each in requests, bare time and worst case."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.domain.orders import Order
from gridops.domain.plan import Plan, Target
from gridops.sim.baselines import all_or_nothing
from gridops.sim.compare import ROUTER, Stretch, broken, contest, paired, run, table
from gridops.sim.meter import Figures, round_trips

STRETCHES = [Stretch(market=f"synthetic:{seed}", seconds=16, seed=seed, levels=3) for seed in (1, 2)]


@pytest.mark.simulation
def test_the_router_asks_least_and_leaves_no_level_bare_at_no_more_exposure() -> None:
    found = contest(STRETCHES)
    print(table("reduced", found))
    assert broken(found) == []
    assert all(sum(row.fills for row in rows) > 0 for rows in found.values())
    assert min(sum(row.requests for row in rows) for rows in found.values()) > 10


@pytest.mark.simulation
def test_a_worse_router_is_caught() -> None:
    complaints = broken(contest(STRETCHES[:1], {ROUTER: all_or_nothing, "the real one": route}))
    assert any(line.startswith("requests") for line in complaints)
    assert any(line.startswith("bare level-seconds") for line in complaints)


@pytest.mark.simulation
def test_equal_runs_give_equal_figures_and_watching_changes_nothing() -> None:
    def same(targets: Sequence[Target], orders: Sequence[Order], ctx: RouteContext) -> Plan:
        return route(targets, orders, ctx)

    assert run(STRETCHES[0], route) == run(STRETCHES[0], same)


def fill(side: str, price: str, qty: str, commission: str = "0") -> dict[str, str]:
    return {"side": side, "price": price, "qty": qty, "commission": commission}


def test_round_trips_are_matched_first_in_first_out_and_split_at_zero() -> None:
    fills = [fill("BUY", "100", "2", "0.2"), fill("BUY", "90", "1", "0.1"), fill("SELL", "110", "4", "0.4")]
    trips, net, notional = round_trips(fills)
    assert (trips, notional) == (2, Decimal(290))
    assert net == Decimal(2) * 10 + 20 - Decimal("0.6")
    assert round_trips([*fills, fill("BUY", "100", "1", "0.1")])[:2] == (3, net + 10 - Decimal("0.2"))


def figures(requests: int, trips_net: int) -> Figures:
    return Figures(
        requests=requests, weight=0, orders=0, bare_level_ms=0, unserved_level_ms=0, places_lost=0, fills=2, trips=1,
        trips_net=Decimal(trips_net), trips_notional=Decimal(10_000), wce_lots=1, wce_peak=Decimal(1),
        equity_change=Decimal(0), income=Decimal(0),
    )  # fmt: skip


def test_the_paired_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    ours, theirs = [figures(1, n) for n in range(20)], [figures(2, 3) for _ in range(20)]
    gap = paired(ours, theirs)
    assert gap == paired(ours, theirs)
    assert gap is not None
    assert gap.mean == Decimal("6.5")
    assert gap.low < gap.mean < gap.high
    spread = Decimal("5.92") / Decimal(20).sqrt() * Decimal("1.96")
    assert abs((gap.high - gap.low) / 2 - spread) < Decimal("0.5")
    assert broken({ROUTER: theirs, "other": ours}) == ["requests: 40 against 20 of other"]
