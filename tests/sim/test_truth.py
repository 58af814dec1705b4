"""Conservation under fire: manual trades, deleveraging, funding, fees in BNB and transfers among every other fault.

At the quiescent end the judge holds the books against the venue's own: each trade id once in the journal, position,
wallet of every asset, open orders. What no row explains would be an unattributed entry, and there is none.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from gridops.domain.records import Booked
from gridops.runtime import codec
from gridops.runtime.ports_journal import JournalRow
from gridops.sim.day import ACCOUNT, OPENED_NS, Day
from gridops.sim.faults import STORM
from gridops.sim.run import SimReport, run_day
from gridops.sim.scheduler import SECOND
from tests.effort import FULL

FIRE = replace(STORM, foreign_order=20, transfer=8)
HOURS = 0.15
SEEDS = 50 if FULL else 8
CHUNK, NIGHT = 50, 1_000


class Hands:
    """What others do to the account, by seed, between the opening and the end; counts what struck."""

    def __init__(self, day: Day) -> None:
        self.day, self.symbol = day, day.rules.symbols[0]
        self.struck = dict.fromkeys(("deleverage", "funding", "bnb_fees"), 0)
        self.unattributed: list[Booked] = []
        self._chance = Random(f"{day.seed}|hands")
        day.core.transfer(ACCOUNT, "BNB", Decimal(2))
        day.core.set_asset_price("BNB", Decimal(600))
        day.core.call(ACCOUNT, "POST", "/fapi/v1/feeBurn", {"feeBurn": "true"}, day.clock.true_ms())
        day.core.drain()
        day.disk.on_row.append(self._read)
        day.scheduler.at(OPENED_NS, self._next)

    def _next(self) -> None:
        act: Callable[[], None] = self._chance.choice((self._deleverage, self._fund))
        act()
        self.day.pump()
        gap_ns = self._chance.randint(10, 60) * SECOND
        if self.day.scheduler.now_ns + gap_ns < self.day.end_ns:
            self.day.scheduler.after(gap_ns, self._next)

    def _deleverage(self) -> None:
        part = self.day.core.interfere("deleverage", self.symbol, self._chance.randint(1, 4), account=ACCOUNT)
        self.struck["deleverage"] += bool(part)

    def _fund(self) -> None:
        self.day.core.interfere("fund_now", self.symbol, Decimal(self._chance.randint(-20, 20)) / 10_000)
        self.struck["funding"] += 1

    def _read(self, row: JournalRow) -> None:
        said = codec.records_of(codec.decode_row(row.body))
        self.unattributed += [each for each in said if isinstance(each, Booked) and each.kind == "unattributed"]


def under_fire(seed: int) -> tuple[SimReport, Hands]:
    held: list[Hands] = []
    report = run_day(seed, hours=HOURS, faults=FIRE, prepare=lambda day: held.append(Hands(day)))
    hands = held[0]
    fees = {fill["commissionAsset"] for fill in hands.day.core.truth()["fills"] if fill["account"] == ACCOUNT}
    hands.struck["bnb_fees"] = int("BNB" in fees)
    return report, hands


@pytest.mark.simulation
@pytest.mark.parametrize("seed", range(7_000, 7_000 + SEEDS))
def test_the_books_equal_the_venues_at_the_end(seed: int) -> None:
    report, hands = under_fire(seed)
    assert report.violation == ""
    assert hands.unattributed == []
    assert hands.struck["funding"] and hands.struck["bnb_fees"] and report.fills


@pytest.mark.simulation
def test_the_fire_holds_every_kind_of_foreign_act() -> None:
    struck: dict[str, int] = {}
    for seed in range(7_000, 7_004):
        _, hands = under_fire(seed)
        for name, count in {**hands.struck, **hands.day.calendar.struck}.items():
            struck[name] = struck.get(name, 0) + count
    assert all(struck[name] for name in ("deleverage", "funding", "bnb_fees", "foreign_order", "transfer")), struck


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("first", range(7_000, 7_000 + NIGHT, CHUNK))
def test_a_night_of_seeds(first: int) -> None:
    broken = [report.violation for seed in range(first, first + CHUNK) if (report := under_fire(seed)[0]).violation]
    assert broken == []
