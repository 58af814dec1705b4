"""One side of the synthetic book: a wall at the touch, thin levels and holes behind it, changes collected for a diff.

Works in distance from the touch outwards, so that bids and asks share the code. It never crosses: the owner moves both
touches together.
"""

from gridops.venue.market.chance import Chance
from gridops.venue.market.events import Level

DEPTH_TICKS = 600
"""Levels are kept from the touch to here, and cut off at twice that."""
_NEAR_TICKS = 24


class Ladder:
    """`outward` is -1 for bids, +1 for asks: the direction away from the other side."""

    def __init__(self, outward: int, chance: Chance) -> None:
        self.outward = outward
        self.levels: dict[int, int] = {}
        self.best = 0
        self._chance = chance
        self._edge = 0
        """The farthest price filled so far."""
        self._changed: set[int] = set()

    def start(self, best: int, wall: int, hole_chance: int) -> None:
        """Fill the side from nothing."""
        self.best = best
        self._edge = best
        self.put(best, wall)
        self._fill_out(hole_chance)

    def put(self, price: int, lots: int) -> None:
        """Set a level; zero removes it."""
        if lots:
            self.levels[price] = lots
        else:
            self.levels.pop(price, None)
        self._changed.add(price)

    def take(self, price: int, lots: int) -> int:
        """Trade against a level. Answers the lots taken, less than asked where the level is short."""
        there = self.levels.get(price, 0)
        taken = min(there, lots)
        if taken:
            self.put(price, there - taken)
        return taken

    def between_touch_and(self, price: int) -> list[int]:
        """Prices of the levels from the touch up to, not including, `price`, in trading order."""
        levels = self.levels
        return [at for at in range(self.best, price, self.outward) if at in levels]

    def retreat(self, best: int, wall: int, hole_chance: int) -> None:
        """The touch moved outwards: what was inside is gone, the new touch is a wall."""
        for price in self.between_touch_and(best):
            self.put(price, 0)
        self.best = best
        if (best - self._edge) * self.outward > 0:
            self._edge = best
        self.put(best, wall)
        self._fill_out(hole_chance)

    def advance(self, best: int, wall: int, hole_chance: int) -> None:
        """The touch moved inwards: the old wall thins out, the ground gained gets thin levels and holes."""
        if self.levels.get(self.best, 0) > 1_000:
            self.put(self.best, self._chance.small_lots())
        for price in range(self.best - self.outward, best, -self.outward):
            if not self._chance.hit(hole_chance):
                self.put(price, self._chance.small_lots())
        self.best = best
        self.put(best, wall)
        self._cut_off()

    def flicker(self, hole_chance: int) -> None:
        """Somebody adds, changes or cancels a level close behind the touch."""
        price = self.best + self.outward * (1 + self._chance.below(_NEAR_TICKS))
        if price in self.levels and self._chance.hit(hole_chance):
            self.put(price, 0)
        else:
            self.put(price, self._chance.small_lots())

    def refill(self, wall: int) -> None:
        """The touch gets another size, unless it just traded: the next diff has to show what was taken."""
        if self.best not in self._changed:
            self.put(self.best, wall)

    def _fill_out(self, hole_chance: int) -> None:
        goal = self.best + self.outward * DEPTH_TICKS
        while (goal - self._edge) * self.outward > 0:
            self._edge += self.outward
            if self._edge not in self.levels and not self._chance.hit(hole_chance):
                self.put(self._edge, self._chance.small_lots())

    def _cut_off(self) -> None:
        if (self._edge - self.best) * self.outward <= 2 * DEPTH_TICKS:
            return
        self._edge = self.best + self.outward * DEPTH_TICKS
        for price in [at for at in self.levels if (at - self._edge) * self.outward > 0]:
            self.put(price, 0)

    def changes(self) -> tuple[Level, ...]:
        """Levels changed since the last call, best first, with their present quantity."""
        if not self._changed:
            return ()
        levels = self.levels
        prices = sorted(self._changed, reverse=self.outward < 0)
        self._changed.clear()
        return tuple([(price, levels.get(price, 0)) for price in prices])

    def whole(self) -> tuple[Level, ...]:
        """Every level, best first."""
        self._changed.clear()
        return tuple(sorted(self.levels.items(), reverse=self.outward < 0))
