"""Virtual time runs in order of time and then of asking; links keep order, lose, double and delay by their seed."""

import pytest
from gridops.sim.scheduler import MS, SECOND, Link, LinkRates, Scheduler, VirtualClock


def test_actions_run_by_time_and_equal_times_by_the_order_of_asking() -> None:
    scheduler, seen = Scheduler(), list[str]()
    scheduler.at(5, lambda: seen.append("b"))
    scheduler.at(3, lambda: seen.append("a"))
    scheduler.at(5, lambda: seen.append("c"))
    scheduler.at(5, lambda: scheduler.at(1, lambda: seen.append("late is now")))
    scheduler.at(9, lambda: seen.append("after the end"))
    scheduler.run_until(8)
    assert seen == ["a", "b", "c", "late is now"]
    assert scheduler.now_ns == 8


def test_a_reboot_begins_another_boot_clock_and_wall_time_may_be_wrong() -> None:
    scheduler = Scheduler()
    clock = VirtualClock(scheduler, 1_000)
    scheduler.run_until(90 * SECOND)
    before, boot = clock.boot_ns(), clock.boot_id()
    clock.reboot()
    clock.skew_ms = -400
    assert clock.boot_ns() < before and clock.boot_id() != boot
    assert clock.wall_ms() == clock.true_ms() - 400


def arrivals(rates: LinkRates, *, ordered: bool = True, count: int = 2_000) -> list[tuple[int, ...]]:
    scheduler = Scheduler()
    link = Link(scheduler, rates, "seed", ordered=ordered)
    found = []
    for i in range(count):
        scheduler.run_until(i * MS)
        found.append(link.arrivals())
    return found


def test_an_ordered_link_never_overtakes_and_repeats_by_its_seed() -> None:
    first = [each[0] for each in arrivals(LinkRates())]
    assert first == sorted(first)
    assert arrivals(LinkRates()) == arrivals(LinkRates())


@pytest.mark.parametrize(
    ("rates", "fewest", "most"),
    [(LinkRates(drop_ppm=100_000), 1_700, 1_900), (LinkRates(duplicate_ppm=100_000), 2_100, 2_300)],
)
def test_losses_and_doubles_come_at_their_rate(rates: LinkRates, fewest: int, most: int) -> None:
    assert fewest < sum(map(len, arrivals(rates))) < most


def test_reordering_lets_a_message_overtake() -> None:
    times = [each[0] for each in arrivals(LinkRates(reorder_ppm=200_000))]
    assert times != sorted(times)
