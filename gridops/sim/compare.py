"""The router against other ways of keeping the same ladder: one engine, grid, market, latency; only the plan differs.

`python -m gridops.sim.compare MARKET@SECONDS ...` prints a table a market, with `--seeds N` one of N synthetic markets.
No faults: what is compared is what the plans cost and earn. Figures come from the meter: the wire and the venue.

The cap is one side of the ladder, so that it binds every planner from its first plan on: whoever adds before the old
order is gone shows as a higher worst case.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from decimal import Decimal
from random import Random

from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.domain.orders import Order
from gridops.domain.plan import Plan, Target
from gridops.domain.rules import GridRules, RiskRules, RouterRules, Rules
from gridops.domain.values import record
from gridops.runtime.act import Planner
from gridops.sim.baselines import all_or_nothing, cancel_all_and_replace, cohort_matching
from gridops.sim.day import ACCOUNT, Day
from gridops.sim.faults import CALM
from gridops.sim.market import open_sim_market
from gridops.sim.meter import Figures, Meter
from gridops.sim.scheduler import SECOND
from gridops.venue.market.events import BookSnapshot

ROUTER = "router"
PLANNERS: Mapping[str, Planner] = {
    ROUTER: route,
    "cancel all": cancel_all_and_replace,
    "all or nothing": all_or_nothing,
    "cohort 0.02 %": cohort_matching,
}
LEAST_LOTS = 3
"""Of a rung: fewer, and no fill is ever partial."""
WARM_NS = 2 * SECOND
"""The market runs that long before the process starts."""
RESAMPLES = 4_000
_HALF = Decimal("0.5")


@record
class Stretch:
    """One market to trade on: where it comes from, how long, and the seed of latencies and ids."""

    market: str
    seconds: int
    seed: int
    levels: int = 10


@record
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: Decimal
    low: Decimal
    high: Decimal


def run(stretch: Stretch, planner: Planner, router: RouterRules = RouterRules()) -> Figures:  # noqa: B008
    """Trade one stretch with `planner`. Violation when it breaks what the judge holds."""
    rules = replace(rules_for(stretch.market, stretch.levels), router=router)
    meters: list[Meter] = []

    def watched(targets: Sequence[Target], orders: Sequence[Order], ctx: RouteContext) -> Plan:
        meters[0].wants(targets, ctx.now_ms)
        return planner(targets, orders, ctx)

    day = Day(
        stretch.seed,
        hours=stretch.seconds / 3_600,
        faults=CALM,
        market=stretch.market,
        rules=rules,
        planner=watched,
        judge=Meter,
    )
    assert isinstance(day.judge, Meter)
    meters.append(day.judge)
    day.warm_ns = WARM_NS
    day.play()
    day.close()
    return day.judge.figures(day.core.truth(), ACCOUNT, rules.symbols[0])


def rules_for(market: str, levels: int) -> Rules:
    """The defaults, with rungs of a few lots and a cap of one side of the ladder at the market's first price."""
    source = open_sim_market(market)
    (spec,) = source.symbols()
    while not isinstance(event := source.next_event(), BookSnapshot):
        assert event is not None, f"{market} states no book"
    lot = max(price for price, _ in event.bids) * spec.tick_size * spec.step_size
    lots = max(LEAST_LOTS, -int(-spec.min_notional * 13 // (10 * lot)))
    grid = GridRules(levels=levels, rung_notional=(lots + _HALF) * lot)
    cap = (lots * levels + _HALF) * lot
    return Rules(symbols=(spec.symbol,), grid=grid, risk=RiskRules(symbol_cap=cap, account_cap=cap))


def contest(
    stretches: Sequence[Stretch],
    planners: Mapping[str, Planner] = PLANNERS,
    jobs: int = 1,
) -> dict[str, list[Figures]]:
    """Every planner on every stretch; rows of one stretch stand at one index. `jobs` processes share the runs."""
    each = [(stretch, planner) for planner in planners.values() for stretch in stretches]
    asked = ([stretch for stretch, _ in each], [planner for _, planner in each])
    if jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            rows = list(pool.map(run, *asked, chunksize=4))
    else:
        rows = list(map(run, *asked))
    count = len(stretches)
    return {name: rows[at * count : (at + 1) * count] for at, name in enumerate(planners)}


def paired(ours: Sequence[Figures], theirs: Sequence[Figures]) -> Interval | None:
    """Net per round trip, ours less theirs, in bps, over the stretches where both had one; seeded. None without any."""
    gaps = [a.net_bps - b.net_bps for a, b in zip(ours, theirs, strict=True) if a.trips and b.trips]
    if not gaps:
        return None
    chance = Random("bootstrap")
    means = sorted(_sum(chance.choices(gaps, k=len(gaps))) / len(gaps) for _ in range(RESAMPLES))
    return Interval(mean=_sum(gaps) / len(gaps), low=means[RESAMPLES // 40], high=means[-(RESAMPLES // 40) - 1])


def broken(found: Mapping[str, Sequence[Figures]]) -> list[str]:
    """The hard inequalities that do not hold: requests, bare time and worst case at or below every baseline's."""
    complaints = []
    ours = found[ROUTER]
    for name, theirs in found.items():
        for label, figure in _HARD.items():
            mine, other = figure(ours), figure(theirs)
            if mine > other:
                complaints.append(f"{label}: {mine} against {other} of {name}")
    return complaints


_HARD: dict[str, Callable[[Sequence[Figures]], Decimal]] = {
    "requests": lambda rows: Decimal(sum(row.requests for row in rows)),
    "bare level-seconds": lambda rows: Decimal(sum(row.bare_level_ms for row in rows)) / 1_000,
    "worst case peak in lots": lambda rows: Decimal(max(row.wce_lots for row in rows)),
}


def table(title: str, found: Mapping[str, Sequence[Figures]]) -> str:
    """One block of lines for people."""
    head = (
        f"{'':<16}{'requests':>9}{'weight':>8}{'orders':>8}{'bare s':>9}{'unserved s':>11}{'places':>8}{'fills':>7}"
        f"{'trips':>7}{'net bps':>9}{'equity':>9}{'WCE lots':>9}{'WCE':>9}   ours - theirs, net bps a trip [95 %]"
    )
    lines = [title, head]
    for name, rows in found.items():
        against = _shown(found[ROUTER], rows) if name != ROUTER else ""
        lines.append(f"{name:<16}{_sums(rows)}   {against}".rstrip())
    return "\n".join(lines)


def _sums(rows: Sequence[Figures]) -> str:
    notional = _sum(row.trips_notional for row in rows)
    net = _sum(row.trips_net for row in rows) / notional * 10_000 if notional else Decimal(0)
    return (
        f"{sum(row.requests for row in rows):>9}{sum(row.weight for row in rows):>8}"
        f"{sum(row.orders for row in rows):>8}{sum(row.bare_level_ms for row in rows) / 1_000:>9.1f}"
        f"{sum(row.unserved_level_ms for row in rows) / 1_000:>11.1f}"
        f"{sum(row.places_lost for row in rows):>8}{sum(row.fills for row in rows):>7}"
        f"{sum(row.trips for row in rows):>7}{net:>9.3f}{_sum(row.equity_change for row in rows):>9.3f}"
        f"{max(row.wce_lots for row in rows):>9}{max(row.wce_peak for row in rows):>9.1f}"
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _shown(ours: Sequence[Figures], theirs: Sequence[Figures]) -> str:
    gap = paired(ours, theirs)
    if gap is not None and len(ours) == 1:
        return f"{gap.mean:+.3f} (one run, no interval)"
    return "no trips on both sides" if gap is None else f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"


def main() -> int:
    """Parse, run, print; 1 when a hard inequality does not hold."""
    parser = argparse.ArgumentParser(prog="python -m gridops.sim.compare", description=__doc__)
    parser.add_argument("markets", nargs="*", help="MARKET@SECONDS, e.g. recorded:PATH,PATH@470")
    parser.add_argument("--seeds", type=int, default=0, help="synthetic markets, one table for all")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--kind", default="synthetic", help="kind of the seeded markets: synthetic or light")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--levels", type=int, default=10, help="rungs a side")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    wrong: list[str] = []
    for word in options.markets:
        market, _, seconds = word.rpartition("@")
        found = contest(
            [Stretch(market=market, seconds=int(seconds), seed=1, levels=options.levels)], jobs=options.jobs
        )
        wrong += _told(
            f"{market.rpartition('/')[2].partition('.')[0]}, {seconds} s, {options.levels} rungs a side", found
        )
    if options.seeds:
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        stretches = [
            Stretch(market=f"{options.kind}:{s}", seconds=options.seconds, seed=s, levels=options.levels) for s in seeds
        ]
        found = contest(stretches, jobs=options.jobs)
        wrong += _told(
            f"{options.seeds} {options.kind} markets of {options.seconds} s, {options.levels} rungs a side", found
        )
    return 1 if wrong else 0


def _told(title: str, found: Mapping[str, Sequence[Figures]]) -> list[str]:
    print(table(title, found))
    wrong = broken(found)
    for line in wrong:
        print(f"  NOT HELD {line}")
    print(flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
