"""A condition in shadow is said when it would have opened and closed, and moves nothing; what protects always acts."""

from dataclasses import replace

import pytest
from gridops.decide import health, levels
from gridops.decide.fsm import FsmMemory
from gridops.decide.health_facts import HealthFacts, SymbolFacts
from gridops.decide.levels import ACCOUNT, CONDITIONS, SHADOWABLE, Edge, Levels
from gridops.domain.rules import HealthRules, Rules
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState

R, E = FsmReason, FsmEvent
NOW = 10_000_000
PROTECTED = {R.KILL_SWITCH, R.DRAWDOWN, R.DAILY_DRAWDOWN, R.LEASE_LOST, R.JOURNAL_FAILED, R.MARGIN_CRITICAL}


def rules(*shadow: FsmReason) -> Rules:
    return Rules(symbols=("A",), health=HealthRules(shadow=shadow))


def facts() -> HealthFacts:
    return HealthFacts(
        symbols=[
            SymbolFacts(
                symbol="A", book_valid=True, spread_cbps=10, cap_units=1_000, book_seen_ms=NOW, mark_seen_ms=NOW
            )
        ],
        user_up=True, user_since_ms=NOW, clock_offset_ms=0, filters_ms=NOW, journal_ok=True, lease_held=True,
        lease_until_ms=NOW + 10**9, fingerprint_ok=True, modes_ok=True, armed=True, leader=True, feeds_ready=True,
        reconcile_started_ms=NOW, reconcile_ended_ms=NOW, account_cap=1_000,
    )  # fmt: skip


class World:
    def __init__(self, known: Rules) -> None:
        self.rules = known
        self.levels: Levels = {}
        self.shadow: Levels = {}
        self.memory = FsmMemory(state=FsmState.ACTIVE, since_ms=NOW)

    def look(self, seen: HealthFacts) -> list[Edge]:
        found = health.detect(seen, self.memory, self.levels, NOW, self.rules, self.shadow)
        levels.apply_edges(self.levels, self.memory, [each for each in found if not each.shadow], ("A",), NOW)
        levels.apply_shadow(self.shadow, [each for each in found if each.shadow], NOW)
        return list(found)


def test_the_edges_are_said_once_each_way_and_no_level_opens() -> None:
    world, wrong = World(rules(R.CLOCK_SKEW)), facts()
    wrong.clock_offset_ms = 5_000
    (opened,) = world.look(wrong)
    assert (opened.reason, opened.scope, opened.open, opened.shadow) == (R.CLOCK_SKEW, ACCOUNT, True, True)
    assert "5000 ms" in opened.detail
    assert world.look(wrong) == [] and world.levels == {}
    (closed,) = world.look(facts())
    assert (closed.open, closed.shadow) == (False, True)
    assert world.shadow == {}


def test_another_condition_opens_beside_it_as_ever() -> None:
    world, wrong = World(rules(R.CLOCK_SKEW)), facts()
    wrong.clock_offset_ms, wrong.disk_ok = 5_000, False
    assert {(each.reason, each.shadow) for each in world.look(wrong)} == {(R.DISK_LOW, False), (R.CLOCK_SKEW, True)}
    assert [level.reason for level in world.levels.values()] == [R.DISK_LOW]


def test_hysteresis_is_that_of_the_real_thing() -> None:
    world, seen = World(rules(R.TOXICITY_MID)), facts()
    seen.toxicity = 1_000
    assert [each.open for each in world.look(seen)] == [True]
    seen.toxicity = 900
    assert world.look(seen) == [], "between LOW and MID it stays"
    seen.toxicity = 700
    assert [each.open for each in world.look(seen)] == [False]


def test_a_changed_setting_moves_an_open_level_between_the_two() -> None:
    world, wrong = World(rules()), facts()
    wrong.clock_offset_ms = 5_000
    assert [each.shadow for each in world.look(wrong)] == [False]
    world.rules = rules(R.CLOCK_SKEW)
    assert {(each.open, each.shadow) for each in world.look(wrong)} == {(False, False), (True, True)}
    world.rules = rules()
    assert {(each.open, each.shadow) for each in world.look(wrong)} == {(True, False), (False, True)}


@pytest.mark.parametrize("reason", sorted(PROTECTED))
def test_what_protects_acts_whatever_the_rules_say(reason: FsmReason) -> None:
    wrong = facts()
    wrong.kill_latched = wrong.drawdown_latched = wrong.daily_drawdown = True
    wrong.lease_held = wrong.journal_ok = False
    wrong.margin_ratio_bps = 9_999
    world = World(rules(*CONDITIONS))
    assert (reason, False) in {(each.reason, each.shadow) for each in world.look(wrong)}


def test_only_thresholds_of_ours_may_be_in_shadow() -> None:
    assert PROTECTED.isdisjoint(SHADOWABLE)
    for reason in SHADOWABLE:
        assert CONDITIONS[reason].event in (E.TRUST_LOST, E.PAUSE, E.THROTTLE)
    assert replace(HealthRules(), shadow=SHADOWABLE).shadow == SHADOWABLE
