"""The laws of the lifecycle hold over arbitrary histories of facts, times and operators."""

from collections.abc import Sequence
from copy import deepcopy

from gridops.decide import fsm, health, levels
from gridops.decide.fsm import FsmMemory, Move, Signal
from gridops.decide.health_facts import HealthFacts, SymbolFacts
from gridops.decide.levels import ACCOUNT, Levels
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState, Severity
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples

E, R, S = FsmEvent, FsmReason, FsmState
RULES = Rules(symbols=("A", "B"))
DWELL = RULES.health.dwell_ms
START = 10_000_000

FORBIDS = {
    E.KILL: set(S) - {S.EMERGENCY},
    E.BREACH: set(S) - {S.EMERGENCY},
    E.STOP: set(S) - {S.EMERGENCY, S.STOPPING},
    E.TRUST_LOST: {S.READY, S.ACTIVE, S.THROTTLED, S.PAUSED},
    E.PAUSE: {S.READY, S.ACTIVE, S.THROTTLED},
    E.READY_LOST: {S.ACTIVE, S.THROTTLED},
    E.THROTTLE: {S.ACTIVE},
}
"""Where no step may end while the event holds."""

FLAGS = {
    "journal_ok": (True, False),
    "disk_ok": (True, False),
    "armed": (True, False),
    "leader": (True, False),
    "feeds_ready": (True, False),
    "modes_ok": (True, False, None),
    "resumed": (False, True),
    "daily_drawdown": (False, True),
    "operator_pause": ("", "ada: test"),
    "toxicity": (None, 0, 790, 950, 1_500, 2_500),
    "budget_used_pct": (0, 55, 75),
    "clock_offset_ms": (0, 5_000, None),
    "orders_unknown": (0, 1, 3),
    "venue_failures": (0, 9),
    "user_up": (True, False),
    "kill_latched": (False, True),
    "margin_ratio_bps": (None, 10, 9_000),
    "ack_requested": (False, True),
    "ack_accepts_position": (False, True),
}
SYMBOL_FLAGS = {
    "book_valid": (True, False),
    "out_of_range": (False, True),
    "mismatch": (None, Severity.WARN, Severity.CRITICAL),
    "spread_cbps": (None, 100, 800, 1_200, 6_000),
    "wce_units": (0, 2_000),
    "deadman_fired": (False, True),
    "book_lag_ms": (0, 2_000),
}
TIMES = ("user_since_ms", "filters_ms", "unknown_since_ms", "banned_until_ms", "loop_lag_seen_ms", "lease_until_ms")
DANGER = {"kill_latched", "margin_ratio_bps"}


def fresh(facts: HealthFacts, now: int) -> None:
    for one in facts.symbols:
        one.book_seen_ms = one.mark_seen_ms = now
    facts.reconcile_started_ms = facts.reconcile_ended_ms = now


def healthy(now: int) -> HealthFacts:
    facts = HealthFacts(
        symbols=[SymbolFacts(symbol=name, book_valid=True, spread_cbps=10, cap_units=1_000) for name in RULES.symbols],
        user_up=True,
        user_since_ms=now,
        clock_offset_ms=0,
        filters_ms=now,
        journal_ok=True,
        lease_held=True,
        lease_until_ms=now + 10**9,
        fingerprint_ok=True,
        modes_ok=True,
        armed=True,
        leader=True,
        feeds_ready=True,
        account_cap=1_000,
        loop_lag_ms=2_000,
    )
    fresh(facts, now)
    return facts


def mutations(*, danger: bool) -> st.SearchStrategy[tuple[str, str, object]]:
    flags = {name: options for name, options in FLAGS.items() if danger or name not in DANGER}
    account = st.sampled_from(sorted(flags)).flatmap(
        lambda name: st.tuples(st.just(ACCOUNT), st.just(name), st.sampled_from(flags[name]))
    )
    symbol = st.tuples(st.sampled_from(RULES.symbols), st.sampled_from(sorted(SYMBOL_FLAGS))).flatmap(
        lambda at: st.tuples(st.just(at[0]), st.just(at[1]), st.sampled_from(SYMBOL_FLAGS[at[1]]))
    )
    return st.one_of(account, symbol)


def histories(*, danger: bool) -> st.SearchStrategy[list[tuple[int, bool, list[tuple[str, str, object]]]]]:
    gaps = st.sampled_from((0, 1, 500, 4_000, 14_999, DWELL - 1, DWELL, DWELL + 1, 100_000))
    return st.lists(st.tuples(gaps, st.booleans(), st.lists(mutations(danger=danger), max_size=4)), max_size=12)


class Account:
    def __init__(self, state: FsmState = S.INIT) -> None:
        self.now = START
        self.facts = healthy(START)
        self.levels: Levels = {}
        self.memory = FsmMemory(state=state, since_ms=START)

    def signals_of(self, state: FsmState, since_ms: int) -> Sequence[Signal]:
        return health.signals(state, since_ms, self.memory, self.levels, self.facts, self.now, RULES)

    def step(self) -> tuple[Move, ...]:
        edges = health.detect(self.facts, self.memory, self.levels, self.now, RULES)
        levels.apply_edges(self.levels, self.memory, edges, RULES.symbols, self.now)
        return fsm.drive(self.memory, self.signals_of, self.now)

    def change(self, gap: int, feed: bool, changes: list[tuple[str, str, object]]) -> None:
        self.now += gap
        for scope, name, item in changes:
            target = self.facts if scope == ACCOUNT else self.facts.symbols[RULES.symbols.index(scope)]
            setattr(target, name, item)
        self.facts.unknown_since_ms = self.now if self.facts.orders_unknown else None
        if feed:
            fresh(self.facts, self.now)

    def held(self) -> set[FsmEvent]:
        found = {levels.CONDITIONS[level.reason].event for level in levels.asserted(self.levels, RULES.symbols)}
        return {event for event in found if event is not None}


@settings(max_examples=examples(150), deadline=None)
@given(histories(danger=True), st.sampled_from(FsmState))
def test_no_step_ends_where_a_held_level_forbids_and_none_needs_many_hops(
    history: list[tuple[int, bool, list[tuple[str, str, object]]]], state: FsmState
) -> None:
    account = Account(state)
    for gap, feed, changes in history:
        account.change(gap, feed, changes)
        moves = account.step()
        assert len(moves) <= 4
        assert all(account.memory.state not in FORBIDS.get(event, set()) for event in account.held())
        assert account.step() == (), "a second look at the same facts moves nothing"


@settings(max_examples=examples(150), deadline=None)
@given(histories(danger=True))
def test_an_emergency_is_left_only_by_an_accepted_ack(
    history: list[tuple[int, bool, list[tuple[str, str, object]]]],
) -> None:
    account = Account(S.EMERGENCY)
    for gap, feed, changes in history:
        account.change(gap, feed, changes)
        allowed = account.facts.ack_requested and account.facts.ack_accepts_position
        for move in account.step():
            if move.from_state is S.EMERGENCY:
                assert move.event is E.ACK and allowed
                assert not account.held() & {E.KILL, E.BREACH}


@settings(max_examples=examples(200), deadline=None)
@given(histories(danger=False))
def test_a_restrictive_state_is_left_upward_only_after_its_dwell(
    history: list[tuple[int, bool, list[tuple[str, str, object]]]],
) -> None:
    account = Account(S.ACTIVE)
    holding = {S.DEGRADED: E.TRUST_LOST, S.PAUSED: E.PAUSE, S.THROTTLED: E.THROTTLE}
    discrete = {R.OPERATOR_PAUSE, R.DAILY_DRAWDOWN}
    bad: dict[FsmEvent, int] = {}
    for gap, feed, changes in history:
        account.change(gap, feed, changes)
        since = account.memory.since_ms
        for move in account.step():
            ended = move.event in (E.TRUST_BACK, E.PAUSE_OVER, E.THROTTLE_OVER)
            if ended:
                assert account.now - since >= DWELL
                assert account.now - bad[holding[move.from_state]] >= DWELL
            since = account.now
        for level in levels.asserted(account.levels, RULES.symbols):
            event = levels.CONDITIONS[level.reason].event
            if event is not None:
                bad[event] = max(bad.get(event, 0), level.since_ms if level.reason in discrete else account.now)


@settings(max_examples=examples(200), deadline=None)
@given(histories(danger=False))
def test_once_everything_is_well_the_account_quotes_within_one_dwell(
    history: list[tuple[int, bool, list[tuple[str, str, object]]]],
) -> None:
    account = Account(S.INIT)
    for gap, feed, changes in history:
        account.change(gap, feed, changes)
        account.step()
    healed = account.now
    account.facts = healthy(healed)
    account.step()
    while account.memory.state is not S.ACTIVE:
        # Only deadlines wake it: nothing may depend on market data arriving.
        wake = health.next_deadline(account.memory, account.facts, account.now, RULES)
        assert wake is not None and wake <= healed + DWELL
        account.now = wake
        account.facts.reconcile_ended_ms = wake
        for one in account.facts.symbols:
            one.book_seen_ms = one.mark_seen_ms = wake
        account.step()
    assert account.now <= healed + DWELL


@settings(max_examples=examples(300), deadline=None)
@given(histories(danger=True), st.lists(st.tuples(st.sampled_from(TIMES), st.integers(-200_000, 200_000))), st.data())
def test_nothing_changes_before_the_deadline_without_an_input(
    history: list[tuple[int, bool, list[tuple[str, str, object]]]], times: list[tuple[str, int]], data: st.DataObject
) -> None:
    account = Account(S.ACTIVE)
    for gap, feed, changes in history:
        account.change(gap, feed, changes)
        account.step()
    for name, offset in times:
        setattr(account.facts, name, account.now + offset)
    account.step()
    deadline = health.next_deadline(account.memory, account.facts, account.now, RULES)
    last = account.now + 400_000 if deadline is None else deadline - 1
    account.now = data.draw(st.integers(account.now, max(account.now, last)), label="looked at")
    before = deepcopy((account.memory, account.levels))
    assert account.step() == ()
    assert (account.memory, account.levels) == before, "a wake-up that changes nothing leaves no trace"


def test_every_flag_of_the_histories_names_a_real_fact() -> None:
    facts = healthy(START)
    assert all(hasattr(facts, name) for name in [*FLAGS, *TIMES])
    assert all(hasattr(facts.symbols[0], name) for name in SYMBOL_FLAGS)
