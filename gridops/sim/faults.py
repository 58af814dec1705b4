"""What goes wrong, how often, and when: chances per message, and incidents drawn over a run.

Data and a seeded calendar; `day` carries the incidents out. Rates are per virtual hour.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeVar

from gridops.domain.values import record
from gridops.sim.fault_gate import FaultGate
from gridops.sim.rest_link import RestFaults
from gridops.sim.scheduler import SECOND, LinkRates, Scheduler


@record
class FaultRates:
    """Message faults in parts per million, incidents per virtual hour."""

    rest: RestFaults = RestFaults()
    user: LinkRates = LinkRates()
    market: LinkRates = LinkRates()
    user_down: int = 0
    """The private socket closes and comes back."""
    user_silent: int = 0
    """The private socket stays open and tells nothing for a while."""
    market_down: int = 0
    market_silent: int = 0
    rest_down: int = 0
    ban: int = 0
    crash: int = 0
    freeze: int = 0
    disk_fails: int = 0
    disk_slow: int = 0
    disk_full: int = 0
    """Free space is reported low, then no commit succeeds, then there is space again."""
    disk_no_evidence: int = 0
    """Bundles cannot be written; the journal can."""
    power_cut: int = 0
    """The machine goes dark and comes back with another boot; on a lossy disk without what was not synced."""
    clock_step: int = 0
    pause: int = 0
    """An operator pauses and resumes."""
    kill: int = 0
    """An operator kills and, once flat, acknowledges."""
    foreign_order: int = 0
    """The operator's other hand trades on the account."""
    transfer: int = 0

    def incidents(self) -> dict[str, int]:
        """Incident name -> mean number per hour."""
        names = FaultRates.__slots__  # type: ignore[attr-defined]
        return {name: getattr(self, name) for name in names if name not in ("rest", "user", "market")}


CALM = FaultRates()

STORM = FaultRates(
    rest=RestFaults(
        drop_request=8_000,
        drop_reply=8_000,
        hidden_success=8_000,
        unavailable=6_000,
        unknown_undone=4_000,
        late_request=4_000,
    ),
    user=LinkRates(drop_ppm=4_000, duplicate_ppm=10_000, reorder_ppm=20_000),
    market=LinkRates(drop_ppm=2_000, duplicate_ppm=2_000, reorder_ppm=2_000),
    user_down=6,
    user_silent=2,
    market_down=2,
    market_silent=3,
    rest_down=2,
    ban=1,
    crash=6,
    freeze=5,
    disk_fails=2,
    disk_slow=2,
    disk_full=1,
    disk_no_evidence=1,
    power_cut=1,
    clock_step=2,
    pause=1,
    kill=1,
    foreign_order=2,
    transfer=1,
)

DENSE = replace(STORM, market=LinkRates(drop_ppm=4_000, duplicate_ppm=4_000, reorder_ppm=4_000))
"""The storm over a busy market: 40 faults for each 2,000 market events."""


def scaled(rates: FaultRates, times: int) -> FaultRates:
    """Every incident and every message fault that many times as often."""
    incidents = {name: per_hour * times for name, per_hour in rates.incidents().items()}
    return FaultRates(
        rest=_times(rates.rest, times, ()),
        user=_times(rates.user, times, _SHAPE),
        market=_times(rates.market, times, _SHAPE),
        **incidents,
    )


_SHAPE = ("low_us", "high_us", "slow_us")
_Rates = TypeVar("_Rates", RestFaults, LinkRates)


def _times(rates: _Rates, times: int, kept: tuple[str, ...]) -> _Rates:
    names = type(rates).__slots__  # type: ignore[attr-defined]
    return type(rates)(**{name: getattr(rates, name) * (1 if name in kept else times) for name in names})


class Calendar:
    """Draws the moments of each incident; independent streams, so that one rate does not shift another's times."""

    def __init__(self, scheduler: Scheduler, rates: FaultRates, seed: str, *, until_ns: int) -> None:
        self._scheduler, self._until_ns = scheduler, until_ns
        self._rates, self._seed = rates.incidents(), seed
        self.struck: dict[str, int] = {}
        self.gate = FaultGate()

    def begin(self, strike: Callable[[str, Random], None]) -> None:
        """Plan every incident up to the end of the faulty time."""
        for name, per_hour in self._rates.items():
            if per_hour:
                chance = Random(f"{self._seed}|{name}")
                self._plan(name, per_hour, chance, strike)

    def _plan(self, name: str, per_hour: int, chance: Random, strike: Callable[[str, Random], None]) -> None:
        mean_s = 3_600 / per_hour
        at_ns = self._scheduler.now_ns + int(chance.expovariate(1 / mean_s) * 1_000) * SECOND // 1_000
        if at_ns >= self._until_ns:
            return

        def due() -> None:
            if self.gate.take(name):
                self.struck[name] = self.struck.get(name, 0) + 1
                strike(name, chance)
            self._plan(name, per_hour, chance, strike)

        self._scheduler.at(at_ns, due)
