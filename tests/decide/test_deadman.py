"""The dead-man switch is kept armed while orders may rest, and presumed fired before it can have fired unseen."""

from gridops.decide import deadman
from gridops.decide.deadman import Beat, DeadmanMemory
from gridops.domain.rules import DeadmanRules

RULES = DeadmanRules(countdown_ms=120_000, beat_ms=30_000, margin_ms=5_000)


def due(
    memory: DeadmanMemory, now: int, *, wanted: bool = True, lease: bool = True, leave: bool = False
) -> Beat | None:
    return deadman.due(memory, wanted=wanted, lease_held=lease, leave=leave, now_ms=now, rules=RULES)


def armed_at(at: int) -> DeadmanMemory:
    memory = DeadmanMemory()
    deadman.sent(memory, Beat.ARM, at)
    deadman.answered(memory, Beat.ARM, ok=True)
    return memory


def test_it_arms_at_once_and_beats_every_thirty_seconds() -> None:
    assert due(DeadmanMemory(), 5) is Beat.ARM
    memory = armed_at(1_000)
    assert due(memory, 30_999) is None
    assert due(memory, 31_000) is Beat.ARM
    assert deadman.next_ms(memory, wanted=True, leave=False, now_ms=1_000, rules=RULES) == 31_000


def test_an_unanswered_beat_is_repeated_soon_and_does_not_count() -> None:
    memory = armed_at(1_000)
    deadman.sent(memory, Beat.ARM, 31_000)
    assert due(memory, 32_000) is None
    deadman.answered(memory, Beat.ARM, ok=False)
    assert due(memory, 32_999) is None
    assert due(memory, 33_000) is Beat.ARM
    assert memory.armed_sent_ms == 1_000


def test_it_is_presumed_fired_five_seconds_early_counted_from_the_send() -> None:
    memory = armed_at(1_000)
    assert not deadman.presumed_fired(memory, 116_000, RULES)
    assert deadman.presumed_fired(memory, 116_001, RULES)
    assert deadman.armed(memory, 116_000, RULES) and not deadman.armed(memory, 116_001, RULES)
    assert deadman.next_ms(memory, wanted=False, leave=True, now_ms=2_000, rules=RULES) == 116_001


def test_increases_need_an_acknowledged_beat() -> None:
    memory = DeadmanMemory()
    assert not deadman.armed(memory, 0, RULES)
    deadman.sent(memory, Beat.ARM, 0)
    assert not deadman.armed(memory, 0, RULES)
    assert deadman.armed(memory, 0, DeadmanRules(enabled=False))


def test_it_is_disarmed_when_nothing_can_rest_or_orders_are_left_on_purpose() -> None:
    assert due(armed_at(1_000), 1_001, wanted=False) is Beat.DISARM
    assert due(armed_at(1_000), 1_001, leave=True) is Beat.DISARM
    assert due(DeadmanMemory(), 5, wanted=False) is None
    memory = armed_at(1_000)
    deadman.sent(memory, Beat.DISARM, 2_000)
    deadman.answered(memory, Beat.DISARM, ok=False)
    assert due(memory, 3_999, wanted=False) is None
    assert due(memory, 4_000, wanted=False) is Beat.DISARM
    deadman.sent(memory, Beat.DISARM, 4_000)
    deadman.answered(memory, Beat.DISARM, ok=True)
    assert due(memory, 9_000, wanted=False) is None
    assert due(memory, 9_000) is Beat.ARM


def test_only_the_lease_holder_touches_it() -> None:
    assert due(DeadmanMemory(), 5, lease=False) is None
    assert due(armed_at(1), 50_000, lease=False) is None
    assert due(armed_at(1), 50_000, lease=False, wanted=False) is None


def test_a_new_process_does_not_believe_the_old_ones_beat() -> None:
    memory = deadman.boot(armed_at(1_000))
    assert not deadman.armed(memory, 2_000, RULES)
    assert due(memory, 2_000) is Beat.ARM
    assert due(memory, 2_000, wanted=False) is Beat.DISARM


def test_a_new_process_that_may_not_disarm_yet_waits_for_nothing_of_its_own() -> None:
    """During a ban nothing is sent, so that the memory of a restart stays without a try."""
    memory = deadman.boot(armed_at(1_000))
    assert deadman.next_ms(memory, wanted=False, leave=False, now_ms=2_000, rules=RULES) is None


def test_an_answer_that_never_comes_does_not_stop_the_beats() -> None:
    memory = armed_at(1_000)
    deadman.sent(memory, Beat.ARM, 31_000)
    lost_ms = 31_000 + deadman.LOST_MS
    assert deadman.next_ms(memory, wanted=True, leave=False, now_ms=31_000, rules=RULES) == lost_ms
    assert due(memory, lost_ms - 1) is None
    assert due(memory, lost_ms) is Beat.ARM
    assert due(memory, lost_ms, wanted=False) is Beat.DISARM
    assert memory.armed_sent_ms == 1_000, "the last acknowledged one counts"


def test_a_start_keeps_the_doubt_of_a_fired_switch() -> None:
    memory = armed_at(1_000)
    memory.fired = True
    assert deadman.boot(memory).fired
