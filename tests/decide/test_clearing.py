"""Every condition and every state says what would end it, and refusals carry those words."""

from gridops.decide.clearing import CLEARED_BY, STATE_ENDS, blockers, standing
from gridops.decide.levels import ACCOUNT, CONDITIONS, Level, level_key
from gridops.domain.vocabulary import FsmReason, FsmState

R = FsmReason


def opened(*held: tuple[FsmReason, str]) -> dict[str, Level]:
    return {level_key(reason, scope): Level(reason, scope, 1, "figures") for reason, scope in held}


def test_every_condition_and_every_state_has_its_words() -> None:
    assert set(CLEARED_BY) == set(CONDITIONS)
    assert all(text == text.strip() and text for text in CLEARED_BY.values())
    assert set(STATE_ENDS) == set(FsmState)
    assert {state for state, text in STATE_ENDS.items() if not text} == {FsmState.ACTIVE}


def test_every_open_level_is_named_with_what_clears_it_worst_first() -> None:
    told = blockers(opened((R.OUT_OF_RANGE, "BTCUSDT"), (R.KILL_SWITCH, ACCOUNT), (R.FEED_STALE, "BTCUSDT")))
    assert told.split("; ") == [
        f"kill_switch (figures) clears by {CLEARED_BY[R.KILL_SWITCH]}",
        *f"feed_stale of BTCUSDT (figures) clears by {CLEARED_BY[R.FEED_STALE]}".split("; "),
        f"out_of_range of BTCUSDT (figures) clears by {CLEARED_BY[R.OUT_OF_RANGE]}",
    ]


def test_without_a_level_the_state_says_how_it_ends() -> None:
    assert standing(FsmState.EMERGENCY, {}) == STATE_ENDS[FsmState.EMERGENCY]
    assert standing(FsmState.ACTIVE, {}) == "no level is open"
    assert "disk_low" in standing(FsmState.DEGRADED, opened((R.DISK_LOW, ACCOUNT)))
    assert blockers(opened((R.DISK_LOW, ACCOUNT)), [R.DISK_LOW]) == ""
