"""Does a figure grow? The slope of its samples over time with a standard error, over one life or several.

Arithmetic of the soaks, virtual and real. It samples nothing and decides nothing but whether a slope stands out.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from gridops.domain.values import record

STANDS_OUT = 3
"""A slope is above noise when it is more than that many standard errors above zero."""

Life = Sequence[tuple[float, float]]
"""(hours, figure) of one process, oldest first."""


@record
class Slope:
    """Growth of a figure in its own unit per hour."""

    per_hour: float
    error: float
    """Standard error, widened for neighbours that move together."""
    samples: int

    @property
    def above_noise(self) -> bool:
        return self.per_hour > STANDS_OUT * self.error

    def __str__(self) -> str:
        return f"{self.per_hour:+.3f} +/- {self.error:.3f} an hour over {self.samples} samples"


def slope(lives: Sequence[Life]) -> Slope | None:
    """Least squares with one common slope and a level of its own for each life; None for fewer than eight samples.

    Memory moves in steps that stay, so neighbouring residuals agree and count for less than they are: the error is
    widened by their correlation, as for a first-order autoregression.
    """
    spread: list[list[tuple[float, float]]] = [_centred(life) for life in lives if len(life) > 1]
    count = sum(map(len, spread))
    squares = sum(hours * hours for life in spread for hours, _ in life)
    if count < 8 or not squares:
        return None
    per_hour = sum(hours * figure for life in spread for hours, figure in life) / squares
    residuals = [[figure - per_hour * hours for hours, figure in life] for life in spread]
    noise = sum(each * each for life in residuals for each in life)
    freedom = count - len(spread) - 1
    alike = _correlation(residuals, noise)
    widened = math.sqrt((1 + alike) / (1 - alike))
    return Slope(per_hour=per_hour, error=math.sqrt(noise / freedom / squares) * widened, samples=count)


def after(life: Life, warm_hours: float) -> Life:
    """What a life shows once its beginning is over."""
    return [each for each in life if each[0] >= life[0][0] + warm_hours]


def _centred(life: Life) -> list[tuple[float, float]]:
    hours = sum(at for at, _ in life) / len(life)
    figure = sum(held for _, held in life) / len(life)
    return [(at - hours, held - figure) for at, held in life]


def _correlation(residuals: Sequence[Sequence[float]], noise: float) -> float:
    """Of each residual with its neighbour: 0 to 0.98."""
    if not noise:
        return 0.0
    together = sum(one * other for life in residuals for one, other in pairwise(life))
    return min(max(together / noise, 0.0), 0.98)
