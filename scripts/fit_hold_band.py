"""The router's hold band, tried over a range of its two parameters: `scripts/fit_hold_band.py MARKET@SECONDS ...`.

The same simulation, meter and rules as the comparison with the baselines; only the band differs. The market named first
is the one to fit on, the others judge what it said, and so do `--seeds N` synthetic ones, with the paired difference to
the present default. It chooses nothing: a smaller band follows the market with more requests, a wider one keeps places.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from itertools import repeat

from gridops.decide.router import route
from gridops.domain.rules import RouterRules
from gridops.sim.compare import Stretch, paired, run
from gridops.sim.meter import Figures

GRID = ((50, 0), (50, 100), (50, 200), (75, 0), (75, 100), (100, 0), (100, 100), (100, 200), (150, 100))
"""(hold_band_pct, queue_gain_pct)."""
_DEFAULT = RouterRules()


def tried(stretches: Sequence[Stretch], grid: Sequence[tuple[int, int]], jobs: int) -> list[list[Figures]]:
    """Figures of every stretch, per pair of parameters."""
    rules = [RouterRules(hold_band_pct=band, queue_gain_pct=gain) for band, gain in grid]
    with ProcessPoolExecutor(jobs) as pool:
        asked = [(stretch, each) for each in rules for stretch in stretches]
        rows = list(pool.map(run, [s for s, _ in asked], repeat(route), [r for _, r in asked]))
    count = len(stretches)
    return [rows[at * count : (at + 1) * count] for at in range(len(grid))]


def table(title: str, grid: Sequence[tuple[int, int]], found: Sequence[Sequence[Figures]]) -> str:
    """One line a pair, with the paired difference to the present default where it is among them."""
    lines = [
        title,
        f"{'band %':>8}{'gain %':>8}{'requests':>10}{'places':>8}{'fills':>7}{'trips':>7}{'net bps':>9}{'equity':>9}",
    ]
    default = (_DEFAULT.hold_band_pct, _DEFAULT.queue_gain_pct)
    known = found[grid.index(default)] if default in grid else None
    for (band, gain), rows in zip(grid, found, strict=True):
        notional = sum((row.trips_notional for row in rows), Decimal(0))
        net = sum((row.trips_net for row in rows), Decimal(0)) / notional * 10_000 if notional else Decimal(0)
        equity = sum((row.equity_change for row in rows), Decimal(0))
        gap = None if known is None or rows is known else paired(rows, known)
        beside = "" if gap is None else f"   {gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] to the default"
        lines.append(
            f"{band:>8}{gain:>8}{sum(r.requests for r in rows):>10}{sum(r.places_lost for r in rows):>8}"
            f"{sum(r.fills for r in rows):>7}{sum(r.trips for r in rows):>7}{net:>9.3f}{equity:>9.3f}{beside}"
        )
    return "\n".join(lines)


def _pair(word: str) -> tuple[int, int]:
    band, _, gain = word.partition(",")
    return int(band), int(gain)


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("markets", nargs="*", help="MARKET@SECONDS")
    parser.add_argument("--pairs", nargs="+", type=_pair, default=GRID, metavar="BAND,GAIN")
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--levels", type=int, default=10, help="rungs a side")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    for word in options.markets:
        market, _, seconds = word.rpartition("@")
        stretch = Stretch(market=market, seconds=int(seconds), seed=1, levels=options.levels)
        title = f"{market.rpartition('/')[2].partition('.')[0]}, {seconds} s"
        print(table(title, options.pairs, tried([stretch], options.pairs, options.jobs)), flush=True)
    if options.seeds:
        seeds = range(1, options.seeds + 1)
        stretches = [
            Stretch(market=f"synthetic:{s}", seconds=options.seconds, seed=s, levels=options.levels) for s in seeds
        ]
        title = f"{options.seeds} synthetic markets of {options.seconds} s"
        print(table(title, options.pairs, tried(stretches, options.pairs, options.jobs)), flush=True)


if __name__ == "__main__":
    main()
