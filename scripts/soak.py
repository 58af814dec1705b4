"""A soak against the wire emulator: `scripts/soak.py --hours 2 --seed 1`; exit 1 on a violation or growing memory.

Real processes, the real client, real time; seeded faults on links, venue and process. It leaves home, samples and
journal in the folder it names.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from gridops.usecases import soak, soak_faults, soak_verdict


def main() -> int:
    """Run, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0, help="real hours")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--intensity", type=float, default=1.0, help=f"1: a fault every {soak_faults.MEAN_S:g} s")
    parser.add_argument("--kills", type=int, default=3, help="SIGKILLs of the engine, in the first third")
    parser.add_argument("--folder", type=Path, help="where home and samples go; a new one unless told")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="gridops-soak-"))
    # Ended from outside it leaves no engine and no venue behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _say(f"soak of {given.hours:g} h, seed {given.seed}, intensity {given.intensity:g}, in {folder}")
    with soak.bench(folder) as bench, (folder / "samples.jsonl").open("w") as out:
        soaked = soak.Soak(
            bench, seconds=given.hours * 3_600, seed=given.seed, intensity=given.intensity, kills=given.kills, out=out,
            say=_say,
        ).run()  # fmt: skip
        verdict = soak_verdict.judge(bench, soaked)
    for line in soak_verdict.told(soaked, verdict):
        _say(line)
    return 0 if verdict.ok else 1


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
