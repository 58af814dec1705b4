"""Named characters of the synthetic market: how fast it moves, who trades, how thick the book is.

A table of numbers beside the generator that reads them. Calibrated on recorded BTCUSDT (a lively quarter of an hour and
a dead one); regimes without a recording behind them are exaggerations made to hurt a grid.
"""

from gridops.domain.values import record

DEFAULT_REGIME = "lively"


@record
class Pace:
    """One stretch of behaviour. Chances are of 1024, per step of 50 ms; distances in ticks."""

    duration_ms: int = 60_000
    kick_chance: int = 0
    """That the fair price jumps."""
    kick_ticks: int = 0
    """Mean size of a jump."""
    momentum: int = 512
    """That a jump keeps the direction of the last one."""
    pull: int = 0
    """Part of the distance to the anchor the fair price gives back each step."""
    anchor_ticks: int = 0
    """Largest random move of the anchor each step."""
    drift_milliticks: int = 0
    """Steady move of anchor and fair price each step; signed."""
    slack_ticks: int = 0
    """Distance of the fair price from the touch that the touch still ignores."""
    noise_chance: int = 0
    """That uninformed traders hit the touch."""
    traded_share: int = 250
    """Part of the levels in the way of a move that trade; the rest is cancelled."""
    wall_lots: tuple[int, int] = (5_000, 20_000)
    hole_chance: int = 500
    """That a tick behind the touch is empty."""
    spread_ticks: int = 1
    leap_ticks: int = 0
    """Mean size of a jump that nobody trades through; 0 for none."""
    leap_chance: int = 0
    silent: bool = False
    """Neither trades nor book changes: only the mark price goes on."""


def _lively(duration_ms: int = 60_000) -> Pace:
    """Five to ten bps of range a minute; the fair price swings back, so a grid of 2 bps is kept busy."""
    return Pace(
        duration_ms=duration_ms,
        kick_chance=130,
        kick_ticks=46,
        momentum=540,
        pull=32,
        anchor_ticks=4,
        slack_ticks=8,
        noise_chance=150,
        traded_share=200,
    )


def _trend(duration_ms: int, drift_milliticks: int) -> Pace:
    return Pace(
        duration_ms=duration_ms,
        kick_chance=90,
        kick_ticks=20,
        pull=10,
        noise_chance=150,
        drift_milliticks=drift_milliticks,
    )


_CALM = Pace(kick_chance=26, kick_ticks=7, pull=8, anchor_ticks=1, noise_chance=80, wall_lots=(12_000, 30_000))
_THIN = Pace(
    kick_chance=50,
    kick_ticks=22,
    pull=6,
    anchor_ticks=2,
    noise_chance=30,
    wall_lots=(20, 500),
    hole_chance=850,
    spread_ticks=5,
)

_PLUNGE = Pace(
    duration_ms=4_000,
    kick_chance=300,
    kick_ticks=40,
    noise_chance=700,
    traded_share=800,
    hole_chance=850,
    wall_lots=(20, 800),
    drift_milliticks=-260_000,
)
_REBOUND = Pace(
    duration_ms=16_000,
    kick_chance=200,
    kick_ticks=40,
    noise_chance=400,
    hole_chance=850,
    wall_lots=(50, 2_000),
    drift_milliticks=36_000,
)
# The slow rest of the way back, so that a long run does not crash its way to nothing.
_RECOVERY = Pace(
    duration_ms=550_000,
    kick_chance=100,
    kick_ticks=40,
    pull=8,
    anchor_ticks=4,
    noise_chance=200,
    wall_lots=(500, 6_000),
    drift_milliticks=844,
)

REGIMES: dict[str, tuple[Pace, ...]] = {
    "lively": (_lively(),),
    "calm": (_CALM,),
    "trend": (_trend(180_000, 900), _trend(60_000, -200), _trend(180_000, -900), _trend(60_000, 200)),
    "gap": (
        Pace(
            kick_chance=100,
            kick_ticks=24,
            momentum=540,
            pull=8,
            anchor_ticks=3,
            noise_chance=150,
            leap_ticks=800,
            leap_chance=2,
        ),
    ),
    "thin": (_THIN,),
    "toxic": (Pace(kick_chance=120, kick_ticks=14, momentum=960, noise_chance=60, traded_share=900),),
    "crash": (_lively(30_000), _PLUNGE, _REBOUND, _RECOVERY),
    "halt": (
        _lively(30_000),
        Pace(duration_ms=20_000, silent=True),
        _lively(70_000),
    ),
}
"""Each regime runs through its paces and starts over."""
