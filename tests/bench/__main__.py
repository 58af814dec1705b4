"""`python -m tests.bench [ROW...] [--write]`: run the rows named (default: all), print the table, keep it if asked."""

import importlib
import sys
from pathlib import Path

from tests.bench.table import Result, document, render

ROWS = {
    "SPEED": "machine_speed",
    "B1": "b1_plan",
    "B2": "b2_plan",
    "B3": "b3_quiet_step",
    "B4": "b4_ladder_step",
    "B5": "b5_client_calls",
    "B6": "b6_frame_to_order",
    "B7": "b7_cold_process",
    "B8": "b8_journal",
    "B9": "b9_simulation",
    "B10": "b10_venue_core",
    "B11": "b11_rules",
}
RESULTS = Path(__file__).with_name("RESULTS.md")


def main(arguments: list[str]) -> int:
    """Exit code 0, or 2 for a row that does not exist."""
    wanted = [each.upper() for each in arguments if not each.startswith("--")] or list(ROWS)
    unknown = [each for each in wanted if each not in ROWS]
    if unknown:
        print(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    results: list[Result] = []
    for row in wanted:
        print(f"{row} ...", file=sys.stderr, flush=True)
        results += importlib.import_module(f"tests.bench.{ROWS[row]}").run()
    print(render(results), end="")
    if "--write" in arguments:
        RESULTS.write_text(document(results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
