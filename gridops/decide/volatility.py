"""Realised volatility of the mid, in integers: one sample a second of venue time, squares averaged exponentially.

Below the grid policy, which makes a spacing of it. It refuses to guess: with too few samples it says None, and
a gap in the feed drops the return across it.
"""

from dataclasses import dataclass
from math import isqrt

SAMPLE_MS = 1_000
GAP_MS = 5_000
MIN_SAMPLES = 20
"""Fewer samples than this are no estimate."""
RETURN_UNIT = 100_000_000
"""Returns are whole multiples of 1e-8."""
_ALPHA_PPM = 11_486
"""Weight of a new sample for a half-life of 60 samples: 1 - 2 ** (-1/60), in parts per million."""
_WARM_SAMPLES = 1_000_000 // _ALPHA_PPM
"""Until here the plain mean weighs a sample more than the exponential average would."""
_SCALE = 1_000_000
"""The average keeps six more digits than the squares, so that small steps are not lost to rounding."""


@dataclass(slots=True)
class VolatilityState:
    """Serialisable. Only `observe_mid` changes it."""

    last_mid2: int = 0
    last_ms: int = 0
    """Venue time of the newest sample; 0 = none."""
    samples: int = 0
    variance: int = 0
    """Average squared one-second log-return, in 1e-16, times 1e6."""


def log_return(from_mid2: int, to_mid2: int) -> int:
    """ln(to / from) in 1e-8. Uses 2 (b - a) / (b + a), which is off by less than 1e-8 up to 0.4 %."""
    scaled = 2 * RETURN_UNIT * (to_mid2 - from_mid2)
    total = from_mid2 + to_mid2
    return (scaled + total // 2) // total if scaled >= 0 else -((-scaled + total // 2) // total)


def observe_mid(state: VolatilityState, mid2: int, at_ms: int) -> bool:
    """Take a sample when a second has passed; True when one was taken. `at_ms` is venue event time."""
    gap_ms = at_ms - state.last_ms
    if mid2 <= 0 or (state.last_ms and gap_ms < SAMPLE_MS):
        return False
    if state.last_ms and gap_ms <= GAP_MS:
        moved = log_return(state.last_mid2, mid2)
        _average(state, moved * moved * SAMPLE_MS * _SCALE // gap_ms)
    state.last_mid2 = mid2
    state.last_ms = at_ms
    return True


def _average(state: VolatilityState, square: int) -> None:
    state.samples += 1
    if state.samples <= _WARM_SAMPLES:
        state.variance += (square - state.variance) // state.samples
    else:
        state.variance += (square - state.variance) * _ALPHA_PPM // 1_000_000


def minute_cbps(state: VolatilityState) -> int | None:
    """Standard deviation of the log-return over one minute, in cbps (1e-6); None while unknown.

    Seconds are taken as independent, so the variance of a minute is sixty times that of a second.
    """
    if state.samples < MIN_SAMPLES:
        return None
    return isqrt(60 * state.variance // _SCALE) // 100
