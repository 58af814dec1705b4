"""What a soak's figures of memory decide, each by itself."""

from typing import Any

import pytest
from gridops.sim.growth import Slope
from gridops.usecases.soak_verdict import Verdict

LEVEL, RISES = Slope(per_hour=0.1, error=0.05, samples=400), Slope(per_hour=0.2, error=0.05, samples=400)


def verdict(**figures: Any) -> Verdict:
    found: dict[str, Any] = {"violations": [], "memory": LEVEL, "blocks": LEVEL, "heap": LEVEL, "venue_memory": RISES}
    said = {"journal_mb_per_hour": 70.0, "rows_per_hour": 1.0, "checks": 1, "fills": 1, "requests": 1}
    return Verdict(**{**found, **said, "worst_lag_ms": 1.0, "states": {}, **figures})


def test_what_is_level_passes_and_the_venue_is_only_told() -> None:
    assert verdict().ok
    assert verdict(memory=None, blocks=None, heap=None).ok


@pytest.mark.parametrize("figure", ["memory", "blocks", "heap"])
def test_each_figure_of_the_engine_decides(figure: str) -> None:
    """The reserve keeps a small leak out of what the process takes: what it holds decides beside it."""
    found = verdict(**{figure: RISES})
    assert len(found.grows) == 1
    assert not found.ok


def test_a_violation_decides_too() -> None:
    assert not verdict(violations=["I-02: twice"]).ok
