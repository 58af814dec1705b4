"""`python -m gridops.sim --seeds N --first-seed S --hours H`: exit 1 when a seed breaks an invariant."""

import argparse
import sys

from gridops.sim.run import run_seeds


def main() -> int:
    """Parse, run, and tell by the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gridops.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--intensity", type=int, default=1, help="faults that many times as often")
    options = parser.parse_args()
    failed = run_seeds(
        options.first_seed,
        options.seeds,
        hours=options.hours,
        intensity=options.intensity,
        say=lambda line: print(line, flush=True),
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
