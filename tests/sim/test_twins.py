"""Two engines of one account in virtual time: the one without the lease writes nothing, whatever it hears."""

import pytest
from gridops.sim.faults import CALM, FaultRates
from gridops.sim.judge import Violation
from gridops.sim.scheduler import LinkRates
from gridops.sim.sim_loop import SimLease
from gridops.sim.twin_day import TwinDay

pytestmark = pytest.mark.simulation
LINKS = FaultRates(user=LinkRates(drop_ppm=4_000, duplicate_ppm=10_000), user_down=12, market_down=6)


def twins(seed: int, faults: FaultRates = LINKS) -> TwinDay:
    return TwinDay(seed, hours=0.05, faults=faults, market=f"light:{seed}")


@pytest.mark.parametrize("frozen_ms", [0, 7_000])
def test_a_lease_that_passes_on_twice_leaves_one_writer_and_equal_books(frozen_ms: int) -> None:
    """The old process lives, or wakes from a stop when the new one quotes already."""
    day = twins(1)
    day.take_over_at(60, 120.25, frozen_ms=frozen_ms)
    try:
        day.run()
        assert len(day.elders) == 2 and all(elder.alive for elder in day.elders)
        assert all(not elder.engine.state.health.lease_held for elder in day.elders)
        assert day.judge.order_events > 20
    finally:
        day.close()


def test_an_engine_that_believes_in_a_lost_lease_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    day = twins(1, CALM)
    day.take_over_at(60)
    monkeypatch.setattr(SimLease, "check", lambda _: True)
    with pytest.raises(Violation) as broken:
        day.run()
    day.close()
    assert broken.value.invariant == "I-25"
