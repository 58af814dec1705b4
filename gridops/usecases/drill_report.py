"""The report of a drill that ran real processes, in the shape of one that ran in virtual time.

Figures that only a simulation can give are empty here: no coverage of the table, no journal digest.
"""

from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256

from gridops.sim.drill_rows import RowsWalked
from gridops.sim.drill_run import DrillReport, Moved
from gridops.sim.drill_spec import Drill
from gridops.sim.drill_verdict import Check


def process_report(
    drill: Drill,
    seed: int,
    checks: Sequence[Check],
    *,
    steps: Sequence[tuple[str, int]],
    took_ms: int,
    transitions: Sequence[Moved] = (),
    bodies: Sequence[bytes] = (),
    worst: Decimal = Decimal(0),
    cap: Decimal = Decimal(0),
) -> DrillReport:
    """Times are wall milliseconds since the drill began; exposures are in the settlement asset."""
    said = "\n".join(f"{check.ok} {check.says}" for check in checks)
    return DrillReport(
        name=drill.name,
        title=drill.title,
        seed=seed,
        ok=all(check.ok for check in checks),
        checks=tuple(checks),
        violation="",
        detect_ms=None,
        safe_ms=None,
        worst_exposure=worst,
        cap=cap,
        transitions=tuple(transitions),
        steps=tuple(steps),
        virtual_ms=took_ms,
        rows=len(bodies),
        invariant_checks=0,
        rows_walked=RowsWalked(rows=0, walked=(), missed=(), unreachable=()),
        bodies=tuple(bodies),
        digest=sha256(said.encode()).hexdigest()[:16],
    )
