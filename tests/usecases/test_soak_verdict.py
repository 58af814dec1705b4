"""What a soak's figures of memory decide, each by itself."""

from random import Random
from typing import Any

import pytest
from gridops.sim.growth import Slope
from gridops.usecases.soak import SAMPLE_S, Sample
from gridops.usecases.soak_verdict import Verdict, slopes

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


@pytest.mark.parametrize(("figure", "place"), [("rss", 0), ("blocks", 1), ("heap", 2)])
def test_one_figure_that_rises_is_the_one_that_stands_out(figure: str, place: int) -> None:
    """Two lives, the second without an answer now and then: what is not known is no fall to zero."""
    chance, samples = Random(7), []
    for number in range(480):
        figures = {name: 2e7 + chance.gauss(0, 2e4) for name in ("rss", "blocks", "heap")}
        figures[figure] += number * SAMPLE_S / 3_600 * 1e6
        if number >= 240 and number % 50 == 0:
            figures.update(blocks=0, heap=0)
        shared = {"venue_rss": 1, "journal": 1, "rows": 1, "state": "ACTIVE", "lag_ms": 0.0, "orders": 0}
        exact = {name: int(held) for name, held in figures.items()}
        samples.append(Sample(at_s=number * SAMPLE_S, life=number // 240, position_lots=0, **shared, **exact))  # type: ignore[arg-type]
    found = slopes(samples)
    assert [bool(each and each.above_noise) for each in found] == [number == place for number in range(3)]
    rises = found[place]
    assert rises and abs(rises.per_hour / (1_000 if figure == "blocks" else 1) - 1) < 0.1
