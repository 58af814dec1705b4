"""One scene per condition: what happens on the emulator, and what the real detector must make of it.

Plain data in the words of the drills, so that a scene can become a drill file. Scenes that only a real process can
play stand in `WIRE`, by the test that plays them. Nothing here runs anything.
"""

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from typing import Any

from gridops.domain.values import record
from gridops.domain.vocabulary import FsmReason, FsmState

R, S = FsmReason, FsmState
Step = dict[str, Any]
START = {"after": "state ACTIVE", "plus_s": 3}


@record
class Scene:
    """`moves` is the state that the account enters by this reason; None: the level holds it where it is."""

    moves: FsmState | None
    steps: tuple[Step, ...]
    scope: str = "account"
    within_s: int = 5
    """From the fault to the opened level."""
    run_s: int = 60
    ends: FsmState | None = S.ACTIVE
    """Where the run ends, once the fault is over; None: the run itself ends."""
    never: tuple[FsmState, ...] = ()
    """With `moves` None: states that are not entered while the level is open."""
    settings: Mapping[str, object] = field(default_factory=dict)
    hook: str = ""
    """What the scene needs beyond the words of the drills: a defect no venue can cause, an operator's signal."""


def one(do: str, **args: object) -> tuple[Step, ...]:
    """A single fault once the engine quotes."""
    return ({"name": "fault", **START, "do": do, **args},)


def then(*steps: Step, first: tuple[Step, ...]) -> tuple[Step, ...]:
    return (*first, *steps)


def refused(path: str, for_s: int, *, method: str = "any", status: int = 503, code: int = -1008) -> tuple[Step, ...]:
    message = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
    return one("refuse", path=path, method=method, status=status, code=code, message=message, for_s=for_s)


def lost_money(**settings: object) -> Mapping[str, object]:
    """Small limits, so that a fall of a few bps on a full position passes them."""
    return {"health.feed_stale_seconds": 3, **settings}


FALL = then(
    {"do": "price", "move_bps": -20, "over_s": 10, "plus_s": 12},
    first=one("price", move_bps=-15, over_s=15),
)
"""The grid buys on the way down and holds what falls further."""

FAR_LADDER: Mapping[str, object] = {
    "grid.spacing_bps": 90, "grid.first_level": Decimal("1.5"), "grid.volatility_scaled": False,
}  # fmt: skip
"""Own orders outside the spread that the scene opens."""

SCENES: Mapping[FsmReason, Scene] = {
    R.KILL_SWITCH: Scene(
        moves=S.EMERGENCY, within_s=1, steps=then({"do": "ack", "plus_s": 10}, first=one("kill")),
    ),
    R.DRAWDOWN: Scene(
        moves=S.EMERGENCY, steps=FALL, within_s=40, run_s=70, ends=S.EMERGENCY,
        settings=lost_money(**{"risk.max_drawdown": Decimal("0.0001"), "risk.daily_drawdown": Decimal("0.0001")}),
    ),
    R.MARGIN_CRITICAL: Scene(
        moves=S.EMERGENCY, steps=one("foreign_order", side="BUY", lots=40), within_s=35, ends=S.EMERGENCY,
        settings={"risk.max_margin_ratio": Decimal("0.0003")},
    ),
    R.EXPOSURE_CAP: Scene(
        moves=S.EMERGENCY, steps=one("foreign_order", side="BUY", lots=60), within_s=2, ends=S.EMERGENCY,
    ),
    R.OPERATOR_STOP: Scene(moves=S.STOPPING, steps=one("stop"), within_s=1, ends=None),
    R.SIGNAL: Scene(moves=S.STOPPING, steps=one("sigterm"), within_s=1, ends=None),
    R.MARKET_ENDED: Scene(moves=S.STOPPING, steps=one("market_end"), within_s=1, ends=None),
    R.FEED_STALE: Scene(moves=S.DEGRADED, scope="BTCUSDT", steps=one("market_silent", for_s=8)),
    R.USER_STREAM_LOST: Scene(moves=S.DEGRADED, steps=one("user_down", for_s=10), within_s=6),
    R.CLOCK_SKEW: Scene(
        moves=S.DEGRADED, within_s=70, run_s=200,
        steps=then({"do": "clock_step", "ms": 0, "plus_s": 80}, first=one("clock_step", ms=-1_500)),
    ),
    R.FILTERS_STALE: Scene(
        moves=S.DEGRADED, steps=refused("exchangeInfo", 650), within_s=640, run_s=720,
        settings={"health.filters_stale_seconds": 620, "health.shadow": ["venue_down"]},
    ),
    R.POSITION_MISMATCH: Scene(
        moves=S.DEGRADED, within_s=60, run_s=150, settings={"health.shadow": ["venue_down", "sync_failing"]},
        steps=then(
            {"do": "foreign_order", "side": "BUY", "lots": 10, "plus_s": 1},
            {"do": "calm", "plus_s": 60},
            first=then(
                {"do": "refuse", "path": "userTrades", "code": -1008, "status": 503, "for_s": 55},
                first=one("user_silent", for_s=55),
            ),
        ),
    ),
    R.ORDERS_UNKNOWN: Scene(
        moves=S.DEGRADED, within_s=20, settings={"health.shadow": ["venue_down"]},
        steps=then(
            {"do": "price", "move_bps": 8, "over_s": 0, "plus_s": 1},
            first=refused("rder", 8, method="any", code=-1007),
        ),
    ),
    R.SYNC_FAILING: Scene(
        moves=S.DEGRADED, steps=refused("openOrders", 60, method="GET"), within_s=60, run_s=130,
        settings={"health.sync_stale_seconds": 35, "health.shadow": ["venue_down"]},
    ),
    R.JOURNAL_FAILED: Scene(moves=S.DEGRADED, steps=one("disk_fails", for_s=6)),
    R.LEASE_LOST: Scene(moves=S.DEGRADED, steps=one("lease_lost", for_s=5)),
    R.FOREIGN_WRITER: Scene(moves=S.DEGRADED, steps=one("foreign_writer"), within_s=15, ends=S.DEGRADED),
    R.RATE_BANNED: Scene(moves=S.DEGRADED, steps=one("ban", for_s=10), within_s=12),
    R.AUTH_REJECTED: Scene(
        moves=S.DEGRADED, steps=refused("", 12, status=401, code=-2015), within_s=12, run_s=80,
    ),
    R.VENUE_DOWN: Scene(moves=S.DEGRADED, steps=one("rest_down", for_s=40), within_s=40, run_s=110),
    R.ENVIRONMENT_CHANGED: Scene(
        moves=None, never=(S.READY, S.ACTIVE), ends=None,
        steps=one("restart", fingerprint="another account", away_s=1),
    ),
    R.MODE_CHANGED: Scene(
        moves=S.DEGRADED, within_s=45, run_s=120, ends=S.DEGRADED,
        steps=then(
            {"do": "cancel_all", "plus_s": 2},
            {
                "do": "venue_call", "method": "POST", "path": "/fapi/v1/positionSide/dual",
                "params": {"dualSidePosition": "true"},
            },
            first=one("pause"),
        ),
    ),
    R.BOOK_INVALID: Scene(moves=S.DEGRADED, scope="BTCUSDT", steps=one("book", shape="crossed", for_s=5)),
    R.RESUMED: Scene(moves=S.DEGRADED, steps=one("freeze", for_s=2), within_s=3),
    R.LOOP_LAG: Scene(
        moves=S.DEGRADED, steps=one("freeze", for_s=Decimal("0.8")), within_s=2,
        settings={"health.loop_lag_seconds": Decimal("0.6")},
    ),
    R.INVARIANT_BROKEN: Scene(
        moves=S.DEGRADED, steps=one("price", move_bps=-10, over_s=5), within_s=20, ends=S.DEGRADED,
        hook="forget a lot",
    ),
    R.DEADMAN_PRESUMED_FIRED: Scene(
        moves=S.DEGRADED, scope="BTCUSDT", steps=refused("countdownCancelAll", 40), within_s=40, run_s=120,
        settings={"operations.deadman_seconds": 30, "operations.beat_seconds": 10},
    ),
    R.OPERATOR_PAUSE: Scene(
        moves=S.PAUSED, within_s=1, steps=then({"do": "resume", "plus_s": 5}, first=one("pause")),
    ),
    R.TOXICITY_HIGH: Scene(
        moves=S.PAUSED, scope="BTCUSDT", steps=one("spread", bps=60, for_s=6), settings=FAR_LADDER,
    ),
    R.LOSS_STREAK: Scene(moves=S.PAUSED, within_s=1, steps=one("mark"), hook="loss_streak"),
    R.DAILY_DRAWDOWN: Scene(
        moves=S.PAUSED, steps=FALL, within_s=40, run_s=70, ends=S.PAUSED,
        settings=lost_money(**{"risk.daily_drawdown": Decimal("0.0001")}),
    ),
    R.EXPOSURE_HIGH: Scene(
        moves=S.PAUSED, scope="BTCUSDT", steps=one("foreign_order", side="BUY", lots=45), ends=None,
    ),
    R.OUT_OF_RANGE: Scene(
        moves=S.PAUSED, scope="BTCUSDT", settings={"grid.high_price": 65_100}, run_s=70,
        steps=then({"do": "price", "move_bps": -25, "plus_s": 6}, first=one("price", move_bps=30)),
    ),
    R.MAINTENANCE: Scene(moves=S.PAUSED, within_s=1, steps=one("mark"), hook="maintenance"),
    R.DISARMED: Scene(
        moves=None, never=(S.ACTIVE,), steps=one("restart", armed=False, away_s=1), within_s=3, ends=S.READY,
    ),
    R.FOLLOWER: Scene(moves=None, never=(S.READY, S.ACTIVE), steps=one("lease_lost", for_s=5)),
    R.TOXICITY_MID: Scene(
        moves=S.THROTTLED, scope="BTCUSDT", steps=one("spread", bps=12, for_s=6), settings=FAR_LADDER, run_s=90,
    ),
    R.RATE_BUDGET_LOW: Scene(
        moves=S.THROTTLED, steps=one("used_weight", weight=1_900, for_s=30), within_s=35, run_s=150,
    ),
    R.BOOT_STUCK: Scene(
        moves=None, within_s=70, run_s=160,
        steps=then({"do": "restart", "away_s": 1}, first=one("rest_down", for_s=75)),
    ),
}  # fmt: skip

WIRE: Mapping[FsmReason, str] = {
    R.DISK_LOW: "tests/wire/test_conditions.py::test_a_disk_that_runs_full_degrades_before_the_journal_fails",
    R.EVIDENCE_FAILED: "tests/wire/test_conditions.py::test_evidence_that_cannot_be_written_is_paged_and_stops_nothing",
    R.FEEDS_NOT_READY: "tests/sim/test_conditions.py::test_a_second_symbol_without_a_view_keeps_the_account_ready",
}
"""Scenes elsewhere: by a process with a disk, or with a second symbol."""
