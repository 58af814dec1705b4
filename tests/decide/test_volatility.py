"""Volatility is the deviation of one-second returns over a minute, from integers, agreeing with floating point."""

import math
import random

from gridops.decide.volatility import MIN_SAMPLES, VolatilityState, log_return, minute_cbps, observe_mid


def walk(step_bps: float, seconds: int, seed: int) -> tuple[VolatilityState, list[float]]:
    chance, state, mid = random.Random(seed), VolatilityState(), 1_200_000.0
    returns: list[float] = []
    last = 0
    for second in range(seconds):
        mid2 = round(mid)
        observe_mid(state, mid2, 1_000 * (second + 1))
        if last:
            returns.append(math.log(mid2 / last))
        last = mid2
        mid *= math.exp(chance.gauss(0, step_bps / 10_000))
    return state, returns


def test_a_return_is_the_logarithm_to_eight_digits() -> None:
    for moved in (-4_000, -17, -1, 0, 1, 250, 4_000):
        exact = math.log((1_200_000 + moved) / 1_200_000) * 1e8
        assert abs(log_return(1_200_000, 1_200_000 + moved) - exact) <= 1.0


def test_it_agrees_with_the_weighted_average_in_floating_point() -> None:
    state, returns = walk(0.5, 600, seed=7)
    average, weight = 0.0, 1 - 2 ** (-1 / 60)
    for count, one in enumerate(returns, start=1):
        average += (one * one - average) * max(weight, 1 / count)
    assert minute_cbps(state) is not None
    expected = math.sqrt(60 * average) * 1e6
    assert abs((minute_cbps(state) or 0) - expected) <= max(2, expected / 100)


def test_a_known_deviation_is_found_again() -> None:
    """Half a basis point a second is 0.5 x sqrt(60) = 3.87 bps a minute."""
    found = [minute_cbps(walk(0.5, 600, seed)[0]) or 0 for seed in range(20)]
    assert 350 < sum(found) / 20 < 420


def test_too_few_samples_are_no_estimate() -> None:
    state, _ = walk(1.0, MIN_SAMPLES, seed=1)
    assert minute_cbps(state) is None
    observe_mid(state, 1_200_000, 1_000 * (MIN_SAMPLES + 1))
    assert minute_cbps(state) is not None


def test_one_sample_a_second_however_many_ticks_come() -> None:
    state = VolatilityState()
    taken = [observe_mid(state, 1_200_000 + n, 10_000 + 100 * n) for n in range(25)]
    assert [n for n, was in enumerate(taken) if was] == [0, 10, 20]


def test_a_gap_drops_the_return_across_it() -> None:
    state = VolatilityState()
    observe_mid(state, 1_200_000, 1_000)
    observe_mid(state, 1_300_000, 6_001)
    assert (state.samples, state.last_mid2) == (0, 1_300_000)
    observe_mid(state, 1_300_130, 8_001)
    assert state.samples == 1


def test_time_that_runs_backwards_takes_no_sample() -> None:
    state = VolatilityState()
    observe_mid(state, 1_200_000, 5_000)
    assert not observe_mid(state, 1_300_000, 4_000)
