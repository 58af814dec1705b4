"""Slopes of memory: known lines are found again, noise alone is not growth, and a step that stays is not sure of it."""

from random import Random

import pytest
from gridops.sim.growth import Life, after, slope


def line(per_hour: float, *, level: float = 80.0, noise: float = 0.3, samples: int = 240, seed: int = 1) -> Life:
    chance = Random(seed)
    return [(at / 240, level + per_hour * at / 240 + chance.gauss(0, noise)) for at in range(samples)]


@pytest.mark.parametrize("per_hour", [0.0, 1.0, 7.5])
def test_a_known_slope_lies_within_four_errors(per_hour: float) -> None:
    found = slope([line(per_hour)])
    assert found is not None
    assert abs(found.per_hour - per_hour) < 4 * found.error
    assert found.above_noise == (per_hour > 0)


def test_each_life_has_its_own_level() -> None:
    found = slope([line(2.0, level=50, noise=0.01), line(2.0, level=300, noise=0.01, seed=2)])
    assert found is not None
    assert abs(found.per_hour - 2.0) < 0.05


def test_noise_that_wanders_is_rarely_called_growth() -> None:
    """Memory without a leak wanders: a sample is nine tenths of the one before. Its error must know that."""
    called = 0
    for seed in range(60):
        chance, held, walk = Random(seed), 80.0, []
        for at in range(240):
            held = 80 + 0.9 * (held - 80) + chance.gauss(0, 0.2)
            walk.append((at / 240, held))
        found = slope([walk])
        assert found is not None
        called += found.above_noise
    assert called <= 3


def test_too_few_samples_say_nothing() -> None:
    assert slope([line(1.0, samples=7)]) is None
    assert slope([]) is None


def test_the_beginning_of_a_life_is_left_out() -> None:
    life = [(1.0, 10.0), (1.2, 60.0), (1.3, 61.0)]
    assert after(life, 0.25) == [(1.3, 61.0)]
