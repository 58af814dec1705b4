"""Seeded chance in whole numbers for the synthetic market: the same seed gives the same stream on every platform."""

from random import Random

_TRADE_LOTS = (1, 2, 2, 2, 3, 4, 5, 6, 8, 10, 13, 18, 26, 40, 65, 110, 180, 260, 500, 1_100)
"""Even quantiles of recorded trade quantity in 0.001 BTC: tenth .002, median .013, nine tenths .23, .99 at 1.7."""


class Chance:
    """Draws by `getrandbits` only, which Python keeps stable between versions."""

    def __init__(self, seed: int) -> None:
        self._bits = Random(seed).getrandbits

    def hit(self, of_1024: int) -> bool:
        return self._bits(10) < of_1024

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit - 1."""
        return (self._bits(20) * limit) >> 20

    def between(self, low: int, high: int) -> int:
        """Both ends included."""
        return low + self.below(high - low + 1)

    def spread_out(self, mean: int) -> int:
        """A number with a long tail around `mean`, at least 1: the product of two even draws."""
        return 1 + (mean * (self._bits(10) + 1) * (self._bits(10) + 1) * 4 >> 20)

    def trade_lots(self) -> int:
        """Quantity of one public trade, in lots of 0.001."""
        at = self.below(len(_TRADE_LOTS))
        low = _TRADE_LOTS[at]
        high = _TRADE_LOTS[at + 1] if at + 1 < len(_TRADE_LOTS) else low * 2
        return self.between(low, high)

    def small_lots(self) -> int:
        """Quantity of a level behind the touch: mostly .003 to 1 BTC, small ones more often."""
        return 3 + (self._bits(10) * self._bits(10) * self._bits(10) * self._bits(10) >> 30)
