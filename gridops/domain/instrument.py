"""An instrument's trading rules, and the only conversion between venue decimals and integer ticks and lots.

Prices are integer ticks, quantities integer lots, everywhere inside. Money leaves this border as Decimal in the
settlement asset; a product of ticks and lots is a "unit" and is compared as an integer.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from gridops.domain.values import record


@record
class Instrument:
    symbol: str
    settle_asset: str
    tick_size: Decimal
    step_size: Decimal
    min_price_ticks: int
    max_price_ticks: int
    min_lots: int
    max_lots: int
    market_max_lots: int
    min_notional: Decimal
    """In the settlement asset; reduce-only orders are exempt."""
    percent_up: Decimal
    """A buy may not be above mark x percent_up."""
    percent_down: Decimal
    max_orders: int = 200
    max_amends: int = 10_000
    trading: bool = True

    @property
    def unit(self) -> Decimal:
        """Quote value of one tick times one lot."""
        return self.tick_size * self.step_size

    @property
    def min_notional_units(self) -> int:
        """Smallest ticks x lots that satisfies the minimum notional."""
        return _least_units(self.min_notional, self.unit)

    def units(self, quote: Decimal) -> int:
        """Largest ticks x lots worth at most `quote`."""
        return _most_units(quote, self.unit)

    def notional(self, price_ticks: int, lots: int) -> Decimal:
        return self.unit * (price_ticks * lots)

    def price(self, ticks: int) -> Decimal:
        return self.tick_size * ticks

    def quantity(self, lots: int) -> Decimal:
        return self.step_size * lots

    def nearest_ticks(self, price: Decimal) -> int:
        """For marks and averages, which need not lie on the grid."""
        return int((price / self.tick_size).to_integral_value(ROUND_HALF_EVEN))

    def exact_ticks(self, price: Decimal) -> int:
        """For order and trade prices. ValueError when the price is not a whole number of ticks."""
        ticks = price / self.tick_size
        whole = int(ticks)
        if ticks != whole:
            raise ValueError(f"{self.symbol}: price {price} is not a multiple of tick {self.tick_size}")
        return whole

    def exact_lots(self, quantity: Decimal) -> int:
        """ValueError when the quantity is not a whole number of steps."""
        lots = quantity / self.step_size
        whole = int(lots)
        if lots != whole:
            raise ValueError(f"{self.symbol}: quantity {quantity} is not a multiple of step {self.step_size}")
        return whole


@lru_cache(maxsize=64)
def _most_units(quote: Decimal, unit: Decimal) -> int:
    """Limits are asked for at every step and hardly ever change."""
    return int((quote / unit).to_integral_value(ROUND_FLOOR))


@lru_cache(maxsize=64)
def _least_units(quote: Decimal, unit: Decimal) -> int:
    return int((quote / unit).to_integral_value(ROUND_CEILING))
