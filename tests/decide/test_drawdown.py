"""A drawdown latches after enough independent samples and one agreeing venue read, and not before."""

from dataclasses import asdict, fields
from typing import Any

from gridops.decide import drawdown
from gridops.decide.drawdown import DAY_MS, DrawdownMemory
from gridops.domain.rules import RiskRules

RULES = RiskRules(max_drawdown_bps=500, daily_drawdown_bps=300, drawdown_samples=3)
START = 1_000_000_000


def after(memory: DrawdownMemory, *equities: int, at: int = 0, wall: int = 0) -> DrawdownMemory:
    for step, equity in enumerate(equities):
        mark = memory.last_mark_ms + 1
        memory = drawdown.sample(
            memory, equity, mark_event_ms=mark, now_ms=at + step * 1_000, wall_ms=wall, rules=RULES
        )
    return memory


def read(memory: DrawdownMemory, equity: int, *, started: int) -> DrawdownMemory:
    return drawdown.venue_read(memory, equity, started_ms=started, wall_ms=0, rules=RULES)


def test_three_samples_and_a_read_latch_in_either_order() -> None:
    low = START * 95 // 100
    first = after(DrawdownMemory(), START, low, at=0)
    assert drawdown.wants_read(first) and drawdown.active(first) and not first.latched
    read_first = read(first, low, started=1_000)
    assert not read_first.latched and not drawdown.wants_read(read_first)
    assert after(read_first, low, low).latched
    samples_first = after(first, low, low)
    assert not samples_first.latched
    assert read(samples_first, low, started=1_000).latched


def test_the_limit_itself_is_a_breach_and_one_less_is_not() -> None:
    assert after(DrawdownMemory(), START, START * 95 // 100).breaches == 1
    assert after(DrawdownMemory(), START, START * 95 // 100 + 1).breaches == 0


def test_a_repeated_mark_is_no_independent_sample() -> None:
    memory = after(DrawdownMemory(), START, 1)
    for _ in range(5):
        memory = drawdown.sample(memory, 1, mark_event_ms=memory.last_mark_ms, now_ms=9, wall_ms=0, rules=RULES)
    assert memory.breaches == 1


def test_a_recovery_starts_the_count_over() -> None:
    memory = after(DrawdownMemory(), START, 1, 1, START)
    assert memory.breaches == 0 and not drawdown.active(replace_daily(memory))
    assert not read(after(memory, 1, 1, at=50_000), 1, started=1_000).agreed


def replace_daily(memory: DrawdownMemory) -> DrawdownMemory:
    memory.daily_latched = False
    return memory


def test_a_disagreeing_read_ends_the_suspicion_and_an_old_one_says_nothing() -> None:
    memory = after(DrawdownMemory(), START, 1, 1, at=5_000)
    assert read(memory, START, started=7_000).breaches == 0
    assert read(memory, 1, started=5_999).agreed is False
    assert read(memory, 1, started=6_000).agreed is True


def test_the_loss_is_counted_from_the_peak_and_transfers_are_neither_loss_nor_gain() -> None:
    memory = after(DrawdownMemory(), START, 2 * START)
    assert drawdown.drawdown_bps(memory) == 0
    moved = after(drawdown.transfer(memory, -START), START)
    assert drawdown.drawdown_bps(moved) == 0 and moved.baseline == START
    assert drawdown.drawdown_bps(after(moved, START * 97 // 100)) == 300


def test_the_daily_level_lasts_until_its_day_rolls_even_through_an_ack() -> None:
    low = START * 97 // 100
    memory = after(DrawdownMemory(), START, low, low, low, wall=10)
    assert memory.daily_latched and not memory.latched
    acked = drawdown.rebase(memory)
    assert acked.daily_latched and acked.baseline == low and not acked.breaches
    assert drawdown.roll_day(acked, DAY_MS - 1).daily_latched
    rolled = drawdown.roll_day(acked, DAY_MS)
    assert not rolled.daily_latched and rolled.day_open == low
    assert drawdown.day_ends_wall_ms(10) == DAY_MS and drawdown.day_ends_wall_ms(DAY_MS) == 2 * DAY_MS


def test_an_account_without_equity_is_in_breach() -> None:
    assert after(DrawdownMemory(), 0).breaches == 1
    assert after(DrawdownMemory(), START, -5).breaches == 1


def test_a_sample_changes_no_memory_but_its_own_and_keeps_every_figure_it_does_not_judge() -> None:
    """A suspicion that a venue read agreed with, below both limits: only the newest figures and the counts move."""
    figures: dict[str, Any] = {each.name: number + 1 for number, each in enumerate(fields(DrawdownMemory))}
    was = DrawdownMemory(**figures | {"baseline": START, "day": 0})
    was.day_open, was.agreed, was.latched, was.daily_latched = START, True, True, True
    kept, low = asdict(was), START // 2
    seen = drawdown.sample(was, low, mark_event_ms=1_000_000, now_ms=0, wall_ms=0, rules=RULES)
    assert asdict(was) == kept
    moved = {"last": low, "last_mark_ms": 1_000_000, "breaches": was.breaches + 1}
    assert asdict(seen) == kept | moved | {"daily_breaches": was.daily_breaches + 1}
