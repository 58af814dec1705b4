"""The plan of a soak: seeded, legal for the emulator, with its kills early enough to leave one long life."""

from gridops.usecases.soak_faults import ENGINE, MEAN_S, MOST_MS, plan
from gridops.venue.server.fault_verbs import ACTION_VERBS
from gridops.venue.server.faults import Fault

HOURS_S = 10 * 3_600


def test_a_seed_plans_the_same_soak_and_another_seed_another() -> None:
    assert plan(3, 7_200, 1.0, 3) == plan(3, 7_200, 1.0, 3)
    assert plan(3, 7_200, 1.0, 3) != plan(4, 7_200, 1.0, 3)


def test_the_emulator_takes_every_fault_and_each_comes_to_its_end() -> None:
    strikes = plan(1, HOURS_S, 1.0, 0)
    assert abs(len(strikes) - HOURS_S / MEAN_S) < 150
    for strike in strikes:
        if strike.verb in ENGINE:
            continue
        Fault(0, {"verb": strike.verb, **strike.body})
        assert strike.verb in ACTION_VERBS or {"n", "for_ms"} & strike.body.keys(), strike
        assert 0 < strike.lasts_s <= MOST_MS / 1_000


def test_kills_fall_into_the_first_third() -> None:
    killed = [each.at_s for each in plan(9, 900, 1.0, 5) if each.verb == "engine.kill"]
    assert len(killed) == 5
    assert max(killed) <= 300
