"""What a place in the queue is: how much stands before an order, the chance of a fill from there, its value in money.

Pure integers, below the router and the observation of the market. The feed tells the best price and size of each side
and what takers traded, so an order is judged where queues matter: at the touch. Away from it nothing is known to stand
before it, and little is lost: the recordings fill such an order when the price passes, whatever its place.

Assumptions, measured against the emulator's true queue by `scripts/fit_fill_odds.py`:
- Everything visible besides us stands before an order that is seen at the touch for the first time.
- What takers trade at the price leaves the front.
- A touch that shrinks by more than that lost cancellations spread evenly over the queue; what grows grows behind us.
- Any amend goes to the back: on this venue the place is always lost.

The chances are those of BTC 2024 (`fixtures/router/`), made monotone; the other recordings judge them there.
"""

from gridops.domain.values import value

UNSEEN = -1
"""The order has not stood at the touch since it was placed or moved there: its queue is not known."""
HORIZON_MS = 5_000
AHEAD_STEPS_PCT = (0, 10, 25, 50, 75, 100)
AT_TOUCH_PERMILLE = (985, 730, 520, 510, 510, 285)
"""Chance of a fill within the horizon at the touch while at most that share of the visible touch stands before us."""
NEW_PERMILLE = 520
"""The same for an order that is placed at the touch now."""
AWAY_STEPS_CBPS = (2, 5, 10, 20, 50, 100, 200)
AWAY_PERMILLE = (429, 415, 415, 413, 376, 254, 109, 0)
"""The same for a distance to the touch of at most each step, and beyond the last."""
CBPS = 1_000_000


@value
class Touch:
    """Best price of one side in ticks, and the lots visible there, our own included."""

    price_ticks: int
    lots: int


def lots_ahead(ahead_lots: int, own_lots: int, before: Touch, now: Touch, traded_lots: int) -> int:
    """Lots before an order that rests at `now.price_ticks`; `traded_lots` hit this side between the two views."""
    others = max(now.lots - own_lots, 0)
    if ahead_lots < 0:
        return others
    if before.price_ticks != now.price_ticks:
        return min(ahead_lots, others)
    left = max(ahead_lots - traded_lots, 0)
    base = max(before.lots - own_lots - traded_lots, 0)
    if others < base:
        left = -(-left * others // base)
    return min(left, others)


def touch_permille(ahead_lots: int, visible_lots: int) -> int:
    """Chance of a fill within the horizon of an order at the touch with `ahead_lots` >= 0 before it."""
    for step, permille in zip(AHEAD_STEPS_PCT, AT_TOUCH_PERMILLE, strict=True):
        if ahead_lots * 100 <= step * visible_lots:
            return permille
    return AT_TOUCH_PERMILLE[-1]


def away_permille(distance_cbps: int) -> int:
    """Chance of a fill within the horizon of an order behind the touch."""
    for step, permille in zip(AWAY_STEPS_CBPS, AWAY_PERMILLE, strict=False):
        if distance_cbps <= step:
            return permille
    return AWAY_PERMILLE[-1]


def new_place_permille(distance_cbps: int) -> int:
    """Chance of a fill within the horizon of an order that is placed now, behind everybody at its price."""
    return NEW_PERMILLE if distance_cbps <= 0 else away_permille(distance_cbps)


def place_cbps(ahead_lots: int, visible_lots: int, edge_cbps: int) -> int:
    """Value of a place at the touch over a fresh one at its back, for a fill that earns `edge_cbps`."""
    if ahead_lots < 0:
        return 0
    gained = touch_permille(ahead_lots, visible_lots) - NEW_PERMILLE
    return max(gained, 0) * edge_cbps // 1_000


def keep_cbps(permille: int, edge_cbps: int, worse_cbps: int, new_permille: int) -> int:
    """What keeping an order is worth over moving it to its target, in cbps of its notional; 0 when moving is better.

    `worse_cbps` is its mispricing: how much worse than at the target a fill would be, negative when it would be better.
    """
    return max((permille * (edge_cbps - worse_cbps) - new_permille * edge_cbps) // 1_000, 0)
