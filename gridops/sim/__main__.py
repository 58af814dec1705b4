"""`python -m gridops.sim --seeds N --first-seed S --hours H`: exit 1 when a seed breaks an invariant.

`--calm --days N` runs days without faults instead, and exits 1 when one of them raised an alarm. `--soak --hours 24` is
one long life per seed, weighed every hour, and exits 1 when the engine's part grows as well.
"""

import argparse
import sys

from gridops.sim import calm, soak
from gridops.sim.run import run_seeds


def main() -> int:
    """Parse, run, and tell by the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gridops.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--hours", type=float, help=f"per seed; 1, or {calm.HOURS} with --calm, unless told")
    parser.add_argument("--intensity", type=int, default=1, help="faults that many times as often")
    parser.add_argument("--market", choices=("light", "busy"), default="light", help="moods of the market")
    parser.add_argument("--only", help="names of the only faults that strike, comma between; `none` for none")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--calm", action="store_true", help="no faults: list every alarm, all of them false")
    parser.add_argument("--soak", action="store_true", help="one life, memory weighed every virtual hour")
    parser.add_argument("--days", type=int, default=1_000, help="with --calm: days by content")
    options = parser.parse_args()
    if options.soak:
        return _soak(range(options.first_seed, options.first_seed + options.seeds), options.hours or 24.0)
    hours = options.hours or (calm.HOURS if options.calm else 1.0)
    if options.calm:
        days = options.days
        return bool(
            calm.run_calm_days(options.first_seed, days, hours=hours, jobs=options.jobs, say=_say, progress=_progress)
        )
    failed = run_seeds(
        options.first_seed,
        options.seeds,
        hours=hours,
        intensity=options.intensity,
        jobs=options.jobs,
        kind=options.market,
        only=None if options.only is None else frozenset(options.only.split(",")),
        say=_say,
        progress=_progress,
    )
    return 1 if failed else 0


def _soak(seeds: range, hours: float) -> int:
    failed = False
    for seed in seeds:
        report = soak.soak(seed, hours=hours, say=_progress)
        failed |= not report.ok
        for line in soak.told(report):
            _say(line)
    return int(failed)


def _say(line: str) -> None:
    print(line, flush=True)


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
