"""Every condition has a detector that treats the unknown as bad, and trust, pauses and latches end only as allowed."""

from collections.abc import Callable

import pytest
from gridops.decide import fsm, health, levels
from gridops.decide.fsm import FsmMemory, Move
from gridops.decide.health_facts import HealthFacts, SymbolFacts
from gridops.decide.levels import ACCOUNT, CONDITIONS, Edge, Levels
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState, Severity

E, R, S = FsmEvent, FsmReason, FsmState
START = 1_000_000
DWELL = 30_000


def symbol(name: str, now: int) -> SymbolFacts:
    return SymbolFacts(
        symbol=name,
        book_seen_ms=now,
        mark_seen_ms=now,
        book_valid=True,
        spread_cbps=10,
        cap_units=1_000,
        filled_units=0,
    )


def healthy(now: int, names: tuple[str, ...] = ("A",)) -> HealthFacts:
    return HealthFacts(
        symbols=[symbol(name, now) for name in names],
        margin_ratio_bps=100,
        user_up=True,
        user_since_ms=now,
        clock_offset_ms=5,
        filters_ms=now,
        reconcile_started_ms=now,
        reconcile_ended_ms=now,
        journal_ok=True,
        lease_held=True,
        lease_until_ms=now + 10**9,
        fingerprint_ok=True,
        modes_ok=True,
        armed=True,
        leader=True,
        feeds_ready=True,
        account_cap=1_000,
    )


class World:
    """Facts, levels and machine together, stepped by hand. Facts that only age are kept fresh unless told otherwise."""

    def __init__(self, state: FsmState = S.ACTIVE, names: tuple[str, ...] = ("A",)) -> None:
        self.now = START
        self.rules = Rules(symbols=names)
        self.facts = healthy(START, names)
        self.levels: Levels = {}
        self.memory = FsmMemory(state=state, since_ms=START)
        self.moves: list[Move] = []
        self.fresh = True

    def step(self, advance_ms: int = 0) -> FsmState:
        self.now += advance_ms
        if self.fresh:
            for one in self.facts.symbols:
                one.book_seen_ms = one.mark_seen_ms = self.now
            self.facts.reconcile_started_ms = self.facts.reconcile_ended_ms = self.now
        edges = health.detect(self.facts, self.memory, self.levels, self.now, self.rules)
        levels.apply_edges(self.levels, self.memory, edges, self.rules.symbols, self.now)
        self.moves += fsm.drive(self.memory, self.signals_of, self.now)
        return self.memory.state

    def signals_of(self, state: FsmState, since_ms: int) -> list[fsm.Signal]:
        return list(health.signals(state, since_ms, self.memory, self.levels, self.facts, self.now, self.rules))

    def open_reasons(self) -> set[tuple[FsmReason, str]]:
        return {(level.reason, level.scope) for level in self.levels.values()}


def detect(facts: HealthFacts, now: int = START, state: FsmState = S.ACTIVE) -> tuple[Edge, ...]:
    memory = FsmMemory(state=state, since_ms=START)
    return health.detect(facts, memory, {}, now, Rules(symbols=("A",)))


def one(facts: HealthFacts) -> SymbolFacts:
    return facts.symbols[0]


Change = Callable[[HealthFacts], None]


def put(**fields: object) -> Change:
    def change(facts: HealthFacts) -> None:
        for name, item in fields.items():
            setattr(facts, name, item)

    return change


def put_symbol(**fields: object) -> Change:
    def change(facts: HealthFacts) -> None:
        for name, item in fields.items():
            setattr(one(facts), name, item)

    return change


CASES: list[tuple[FsmReason, str, Change]] = [
    (R.KILL_SWITCH, ACCOUNT, put(kill_latched=True)),
    (R.DRAWDOWN, ACCOUNT, put(drawdown_latched=True)),
    (R.MARGIN_CRITICAL, ACCOUNT, put(margin_ratio_bps=8_000)),
    (R.EXPOSURE_CAP, ACCOUNT, put_symbol(filled_units=1_251)),
    (R.OPERATOR_STOP, ACCOUNT, put(stop=R.OPERATOR_STOP)),
    (R.SIGNAL, ACCOUNT, put(stop=R.SIGNAL)),
    (R.MARKET_ENDED, ACCOUNT, put(stop=R.MARKET_ENDED)),
    (R.FEED_STALE, "A", put_symbol(book_seen_ms=START - 3_000)),
    (R.FEED_STALE, "A", put_symbol(book_seen_ms=None)),
    (R.FEED_STALE, "A", put_symbol(book_lag_ms=3_000)),
    (R.FEED_STALE, "A", put_symbol(mark_seen_ms=START - 5_000)),
    (R.FEED_STALE, "A", put_symbol(mark_seen_ms=None)),
    (R.USER_STREAM_LOST, ACCOUNT, put(user_up=False, user_since_ms=START - 5_000)),
    (R.USER_STREAM_LOST, ACCOUNT, put(user_up=False, user_since_ms=None)),
    (R.CLOCK_SKEW, ACCOUNT, put(clock_offset_ms=-1_001)),
    (R.CLOCK_SKEW, ACCOUNT, put(clock_offset_ms=None)),
    (R.FILTERS_STALE, ACCOUNT, put(filters_ms=START - 3_600_000)),
    (R.FILTERS_STALE, ACCOUNT, put(filters_ms=None)),
    (R.POSITION_MISMATCH, "A", put_symbol(mismatch=Severity.WARN)),
    (R.POSITION_MISMATCH, ACCOUNT, put_symbol(mismatch=Severity.CRITICAL)),
    (R.ORDERS_UNKNOWN, ACCOUNT, put(orders_unknown=3, unknown_since_ms=START)),
    (R.ORDERS_UNKNOWN, ACCOUNT, put(orders_unknown=1, unknown_since_ms=START - 15_000)),
    (R.SYNC_FAILING, ACCOUNT, put(reconcile_ended_ms=START - 90_000)),
    (R.SYNC_FAILING, ACCOUNT, put(reconcile_ended_ms=None)),
    (R.JOURNAL_FAILED, ACCOUNT, put(journal_ok=False)),
    (R.LEASE_LOST, ACCOUNT, put(lease_held=False)),
    (R.LEASE_LOST, ACCOUNT, put(lease_until_ms=START)),
    (R.FOREIGN_WRITER, ACCOUNT, put(foreign_writer=True)),
    (R.RATE_BANNED, ACCOUNT, put(banned_until_ms=START + 1)),
    (R.AUTH_REJECTED, ACCOUNT, put(auth_rejected=True)),
    (R.VENUE_DOWN, ACCOUNT, put(venue_failures=5)),
    (R.ENVIRONMENT_CHANGED, ACCOUNT, put(fingerprint_ok=False)),
    (R.MODE_CHANGED, ACCOUNT, put(modes_ok=False)),
    (R.MODE_CHANGED, ACCOUNT, put(modes_ok=None)),
    (R.BOOK_INVALID, "A", put_symbol(book_valid=False)),
    (R.RESUMED, ACCOUNT, put(resumed=True)),
    (R.LOOP_LAG, ACCOUNT, put(loop_lag_ms=1_000, loop_lag_seen_ms=START - 999)),
    (R.DISK_LOW, ACCOUNT, put(disk_ok=False)),
    (R.INVARIANT_BROKEN, ACCOUNT, put(invariant_broken="cum fell")),
    (R.DEADMAN_PRESUMED_FIRED, "A", put_symbol(deadman_fired=True)),
    (R.OPERATOR_PAUSE, ACCOUNT, put(operator_pause="ada: lunch")),
    (R.TOXICITY_HIGH, ACCOUNT, put(toxicity=2_000)),
    (R.TOXICITY_HIGH, "A", put_symbol(spread_cbps=5_000)),
    (R.LOSS_STREAK, ACCOUNT, put(loss_streak=True)),
    (R.DAILY_DRAWDOWN, ACCOUNT, put(daily_drawdown=True)),
    (R.EXPOSURE_HIGH, "A", put_symbol(wce_units=1_001)),
    (R.EXPOSURE_HIGH, ACCOUNT, put(account_wce=1_001)),
    (R.OUT_OF_RANGE, "A", put_symbol(out_of_range=True)),
    (R.MAINTENANCE, ACCOUNT, put(maintenance=True)),
    (R.DISARMED, ACCOUNT, put(armed=False)),
    (R.FOLLOWER, ACCOUNT, put(leader=False)),
    (R.FEEDS_NOT_READY, ACCOUNT, put(feeds_ready=False)),
    (R.TOXICITY_MID, ACCOUNT, put(toxicity=1_000)),
    (R.TOXICITY_MID, "A", put_symbol(spread_cbps=1_000)),
    (R.TOXICITY_MID, "A", put_symbol(touch_alone=True)),
    (R.RATE_BUDGET_LOW, ACCOUNT, put(budget_used_pct=70)),
]
STATE_AFTER = {
    E.KILL: S.EMERGENCY,
    E.BREACH: S.EMERGENCY,
    E.STOP: S.STOPPING,
    E.TRUST_LOST: S.DEGRADED,
    E.PAUSE: S.PAUSED,
    E.READY_LOST: S.READY,
    E.THROTTLE: S.THROTTLED,
}


def test_a_healthy_account_has_no_condition() -> None:
    assert detect(healthy(START)) == ()


def test_every_condition_has_a_case_here() -> None:
    assert {reason for reason, _, _ in CASES} | {R.BOOT_STUCK, R.EVIDENCE_FAILED} == set(CONDITIONS)


def test_evidence_that_cannot_be_written_is_a_page_and_holds_nothing_up() -> None:
    world = World()
    world.facts.evidence_ok = False
    assert world.step() is S.ACTIVE
    assert world.open_reasons() == {(R.EVIDENCE_FAILED, ACCOUNT)}
    world.facts.evidence_ok = True
    world.step()
    assert world.levels == {}


@pytest.mark.parametrize(("reason", "scope", "change"), CASES)
def test_each_condition_opens_its_level_and_moves_the_account(reason: FsmReason, scope: str, change: Change) -> None:
    world = World()
    world.fresh = False
    change(world.facts)
    state = world.step()
    assert (reason, scope) in world.open_reasons()
    allowed = {R.TOXICITY_MID} if reason is R.TOXICITY_HIGH else set()
    assert {r for r, _ in world.open_reasons()} - {reason} <= allowed
    event = CONDITIONS[reason].event
    assert event is not None
    freezes_only = (reason, scope) == (R.POSITION_MISMATCH, "A")
    assert state is (S.ACTIVE if freezes_only else STATE_AFTER[event])
    assert all(move.detail for move in world.moves)
    world.facts = healthy(START)
    world.step()
    assert world.levels == {}


def test_facts_that_were_never_received_are_bad() -> None:
    facts = HealthFacts(symbols=[SymbolFacts(symbol="A")])
    found = {edge.reason for edge in detect(facts, state=S.INIT)}
    unknown = {R.FEED_STALE, R.USER_STREAM_LOST, R.CLOCK_SKEW, R.FILTERS_STALE, R.SYNC_FAILING, R.MODE_CHANGED}
    absent = {R.LEASE_LOST, R.JOURNAL_FAILED, R.ENVIRONMENT_CHANGED, R.BOOK_INVALID}
    assert unknown | absent <= found


def test_a_dead_feed_is_noticed_by_its_deadline_without_any_tick() -> None:
    world = World()
    world.fresh = False
    deadline = health.next_deadline(world.memory, world.facts, world.now, world.rules)
    assert deadline == START + 3_000
    assert world.step(2_999) is S.ACTIVE
    assert world.step(1) is S.DEGRADED
    assert world.moves[-1].reason is R.FEED_STALE


def test_start_waits_in_init_until_everything_is_known_and_goes_up_by_ready() -> None:
    world = World(S.INIT)
    world.fresh = False
    world.facts.symbols[0].book_seen_ms = None
    assert world.step() is S.INIT
    world.facts.symbols[0].book_seen_ms = world.now
    assert world.step() is S.ACTIVE
    assert [move.to_state for move in world.moves] == [S.READY, S.ACTIVE]


@pytest.mark.parametrize(
    "change",
    [
        put(lease_held=False),
        put(fingerprint_ok=False),
        put(filters_ms=None),
        put(reconcile_started_ms=None),
        put(reconcile_ended_ms=None),
        put(reconcile_started_ms=START - 1),
    ],
)
def test_boot_needs_lease_rules_fingerprint_and_a_reconcile_of_this_boot(change: Change) -> None:
    world = World(S.INIT)
    world.fresh = False
    world.memory.loss_ms = START
    change(world.facts)
    assert world.step() is S.INIT


def test_init_for_a_minute_is_a_page_and_no_event() -> None:
    world = World(S.INIT)
    world.facts.clock_offset_ms = None
    world.step(59_999)
    assert (R.BOOT_STUCK, ACCOUNT) not in world.open_reasons()
    assert world.step(1) is S.INIT
    assert (R.BOOT_STUCK, ACCOUNT) in world.open_reasons()
    world.facts.clock_offset_ms = 0
    assert world.step() is S.ACTIVE
    world.step()
    assert world.levels == {}


def test_trust_returns_after_the_dwell_since_the_last_bad_sample() -> None:
    world = World()
    world.facts.journal_ok = False
    assert world.step() is S.DEGRADED
    world.step(100_000)
    world.facts.journal_ok = True
    world.step(1)
    assert world.step(DWELL - 1) is S.DEGRADED
    world.facts.journal_ok = False
    world.step()
    world.facts.journal_ok = True
    world.step()
    assert world.step(DWELL - 1) is S.DEGRADED
    assert world.step(1) is S.ACTIVE
    assert [move.to_state for move in world.moves] == [S.DEGRADED, S.READY, S.ACTIVE]


def test_trust_needs_a_full_reconcile_started_after_the_loss() -> None:
    world = World()
    world.facts.user_up = False
    world.facts.user_since_ms = START - 5_000
    world.step()
    world.step(1_000)
    world.facts.user_up = True
    world.step()
    world.fresh = False
    world.facts.reconcile_started_ms = world.now - 1
    world.now += DWELL
    for item in world.facts.symbols:
        item.book_seen_ms = item.mark_seen_ms = world.now
    world.facts.reconcile_ended_ms = world.now
    assert world.step() is S.DEGRADED
    world.facts.reconcile_started_ms = world.now - DWELL
    assert world.step() is S.ACTIVE


def test_a_symbol_condition_freezes_the_symbol_and_the_account_only_when_all_are_frozen() -> None:
    world = World(names=("A", "B"))
    world.facts.symbols[0].book_valid = False
    assert world.step() is S.ACTIVE
    assert levels.frozen_symbols(world.levels, ("A", "B")) == {"A"}
    world.facts.symbols[1].out_of_range = True
    assert world.step() is S.DEGRADED
    world.facts.symbols[1].out_of_range = False
    world.step()
    assert world.step(DWELL) is S.ACTIVE
    assert levels.frozen_symbols(world.levels, ("A", "B")) == {"A"}


def test_a_small_mismatch_freezes_and_a_large_one_degrades() -> None:
    world = World()
    one(world.facts).mismatch = Severity.WARN
    assert world.step() is S.ACTIVE
    assert levels.frozen_symbols(world.levels, ("A",)) == {"A"}
    one(world.facts).mismatch = Severity.CRITICAL
    assert world.step() is S.DEGRADED


def test_toxicity_is_left_only_in_the_low_band() -> None:
    world = World()
    world.facts.toxicity = 2_500
    assert world.step() is S.PAUSED
    world.facts.toxicity = 1_500
    assert world.step(DWELL * 2) is S.PAUSED
    world.facts.toxicity = 900
    assert world.step(DWELL * 2) is S.PAUSED
    world.facts.toxicity = 700
    world.step()
    world.facts.toxicity = 1_200
    world.step(1_000)
    assert world.step(DWELL * 2) is S.PAUSED, "MID is not LOW, although HIGH closed"
    world.facts.toxicity = 700
    world.step()
    assert world.step(DWELL - 1) is S.PAUSED
    assert world.step(1) is S.ACTIVE
    assert world.moves[1].reason is R.TOXICITY_LOW


def test_an_unknown_spread_keeps_a_pause_and_opens_none() -> None:
    world = World()
    one(world.facts).spread_cbps = None
    assert world.step() is S.ACTIVE
    one(world.facts).spread_cbps = 6_000
    world.step()
    one(world.facts).spread_cbps = None
    assert world.step(DWELL * 3) is S.PAUSED


def test_middling_toxicity_throttles_also_from_ready_by_way_of_active() -> None:
    world = World(S.READY)
    world.facts.toxicity = 1_000
    assert world.step() is S.THROTTLED
    assert [(move.to_state, move.event) for move in world.moves] == [(S.ACTIVE, E.THROTTLE), (S.THROTTLED, E.THROTTLE)]


def test_a_throttle_never_lifts_a_ready_account_that_may_not_quote() -> None:
    world = World(S.READY)
    world.facts.toxicity = 1_000
    world.facts.armed = False
    assert world.step() is S.READY and world.moves == []


def test_a_low_budget_comes_back_only_well_below_its_trigger() -> None:
    world = World()
    world.facts.budget_used_pct = 70
    assert world.step() is S.THROTTLED
    world.facts.budget_used_pct = 50
    assert world.step(DWELL * 2) is S.THROTTLED
    world.facts.budget_used_pct = 49
    world.step()
    assert world.step(DWELL) is S.ACTIVE
    assert world.moves[-1].reason is R.RATE_BUDGET_BACK


def test_an_operators_pause_is_held_through_a_loss_of_trust_and_a_restart() -> None:
    world = World()
    world.facts.operator_pause = "ada: news"
    world.step()
    world.facts.journal_ok = False
    assert world.step() is S.DEGRADED
    world.facts.journal_ok = True
    world.step()
    assert world.step(DWELL) is S.PAUSED
    world.memory = fsm.boot(world.memory, world.rules.stop_mode, world.now)
    assert world.step() is S.PAUSED
    world.facts.operator_pause = ""
    assert world.step(DWELL) is S.ACTIVE
    assert world.moves[-2].reason is R.OPERATOR_RESUME


def test_a_resume_after_a_long_pause_takes_effect_at_once() -> None:
    world = World()
    world.facts.operator_pause = "ada: news"
    world.step()
    world.step(DWELL)
    world.facts.operator_pause = ""
    assert world.step() is S.ACTIVE


def test_a_deeper_state_does_not_cut_a_pause_short() -> None:
    world = World()
    world.facts.toxicity = 2_000
    world.facts.journal_ok = False
    world.step()
    world.facts.journal_ok = True
    world.step()
    world.step(DWELL - 5_000)
    world.facts.toxicity = 0
    world.step()
    assert world.step(5_000) is S.READY
    deadline = health.next_deadline(world.memory, world.facts, world.now, world.rules)
    world.fresh = False
    assert deadline is not None and deadline <= world.now + DWELL - 5_000
    world.fresh = True
    assert world.step(DWELL - 5_001) is S.READY
    assert world.step(1) is S.ACTIVE


def test_disarming_stops_quoting_and_arming_starts_it() -> None:
    world = World()
    world.facts.armed = False
    assert world.step() is S.READY
    world.facts.armed = True
    assert world.step() is S.ACTIVE


def ack(world: World, *, accept: bool = False) -> str:
    """What the step does with an operator's ack."""
    world.facts.ack_accepts_position = accept
    refusal = health.ack_refusal(world.memory, world.levels, world.facts)
    if not refusal:
        world.facts.kill_latched = world.facts.drawdown_latched = False
        world.facts.ack_requested = True
    world.step()
    world.facts.ack_requested = False
    return refusal


def test_an_emergency_is_latched_until_an_ack_with_a_newer_flat_read() -> None:
    world = World()
    world.facts.kill_latched = True
    world.facts.flat_read_ms = START
    assert world.step() is S.EMERGENCY
    assert world.step(10**6) is S.EMERGENCY
    assert "flat" in ack(world)
    assert world.memory.state is S.EMERGENCY and world.facts.kill_latched
    world.facts.flat_read_ms = START + 1
    assert ack(world) == ""
    assert [move.to_state for move in world.moves] == [S.EMERGENCY, S.INIT, S.READY, S.ACTIVE]


def test_a_danger_that_cleared_by_itself_still_needs_the_ack() -> None:
    world = World()
    world.facts.margin_ratio_bps = 9_000
    world.step()
    world.facts.margin_ratio_bps = 10
    assert world.step(10**7) is S.EMERGENCY


def test_an_ack_is_refused_while_the_danger_stands_and_outside_an_emergency() -> None:
    world = World()
    assert "nothing to acknowledge" in ack(world)
    world.facts.margin_ratio_bps = 9_000
    world.step()
    assert "margin_critical still holds" in ack(world, accept=True)
    assert world.step() is S.EMERGENCY


def test_an_accepted_position_needs_no_flat_read_and_the_day_goes_on_paused() -> None:
    world = World()
    world.facts.drawdown_latched = world.facts.daily_drawdown = True
    world.step()
    assert ack(world, accept=True) == ""
    assert world.memory.state is S.PAUSED
    assert world.step(10**6) is S.PAUSED
    world.facts.daily_drawdown = False
    assert world.step() is S.ACTIVE
    assert world.moves[-2].reason is R.DAY_ROLLED


def test_a_latched_kill_survives_a_restart() -> None:
    world = World()
    world.facts.kill_latched = True
    world.step()
    world.memory = fsm.boot(world.memory, world.rules.stop_mode, world.now)
    assert world.step() is S.EMERGENCY
    assert world.moves[-1].to_state is S.EMERGENCY
    fresh = World(S.INIT)
    fresh.facts.kill_latched = True
    assert fresh.step() is S.EMERGENCY


def test_a_stop_has_a_deadline_orderly_or_not() -> None:
    world = World()
    world.facts.stop = R.SIGNAL
    assert world.step() is S.STOPPING
    assert health.stop_deadline_ms(world.memory, world.rules) == START + 30_000
    world.facts.kill_latched = True
    assert world.step(1_000) is S.EMERGENCY
    assert health.stop_deadline_ms(world.memory, world.rules) == START + 61_000


def test_edges_say_how_long_a_level_was_open_and_repeat_nothing() -> None:
    world = World()
    world.facts.disk_ok = False
    world.step()
    assert health.detect(world.facts, world.memory, world.levels, world.now + 5, world.rules) == ()
    world.facts.disk_ok = True
    (edge,) = health.detect(world.facts, world.memory, world.levels, world.now + 7, world.rules)
    assert (edge.reason, edge.open, edge.held_ms) == (R.DISK_LOW, False, 7)


DEADLINES: list[tuple[Change, int, FsmReason, bool]] = [
    (put(banned_until_ms=START + 500), 500, R.RATE_BANNED, False),
    (put(lease_until_ms=START + 500), 500, R.LEASE_LOST, True),
    (put(filters_ms=START + 500 - 3_600_000), 500, R.FILTERS_STALE, True),
    (put(orders_unknown=1, unknown_since_ms=START + 500 - 15_000), 500, R.ORDERS_UNKNOWN, True),
    (put(reconcile_ended_ms=START + 500 - 90_000), 500, R.SYNC_FAILING, True),
    (put(loop_lag_ms=1_000, loop_lag_seen_ms=START - 500), 500, R.LOOP_LAG, False),
    (put(user_up=False, user_since_ms=START - 4_500), 500, R.USER_STREAM_LOST, True),
    (put_symbol(book_seen_ms=START - 2_500), 500, R.FEED_STALE, True),
    (put_symbol(mark_seen_ms=START - 4_500), 500, R.FEED_STALE, True),
    (put_symbol(book_lag_ms=2_500), 500, R.FEED_STALE, True),
]


@pytest.mark.parametrize(("change", "after_ms", "reason", "opens"), DEADLINES)
def test_what_time_alone_changes_has_its_deadline(
    change: Change, after_ms: int, reason: FsmReason, opens: bool
) -> None:
    world = World()
    world.fresh = False
    change(world.facts)
    world.step()
    assert health.next_deadline(world.memory, world.facts, world.now, world.rules) == START + after_ms
    world.step(after_ms - 1)
    assert (reason in {r for r, _ in world.open_reasons()}) == (not opens)
    world.step(1)
    assert (reason in {r for r, _ in world.open_reasons()}) == opens


@pytest.mark.parametrize(("reason", "scope", "change"), [case for case in CASES if case[1] == "A"])
def test_a_view_that_shows_a_condition_is_never_called_quiet(reason: FsmReason, scope: str, change: Change) -> None:
    facts = healthy(START)
    rules = Rules(symbols=("A",))
    deadline = START + 2_000
    assert health.view_is_quiet(one(facts), {}, deadline, rules)
    assert not health.view_is_quiet(one(facts), {}, None, rules)
    opened = levels.Level(R.DISK_LOW, ACCOUNT, START, "")
    assert not health.view_is_quiet(one(facts), {"disk_low@account": opened}, deadline, rules)
    change(facts)
    of_the_view = {R.FEED_STALE, R.BOOK_INVALID, R.TOXICITY_HIGH, R.TOXICITY_MID, R.EXPOSURE_HIGH, R.OUT_OF_RANGE}
    assert health.view_is_quiet(one(facts), {}, deadline, rules) == (reason not in of_the_view)


def test_a_view_that_brings_the_deadline_nearer_is_not_quiet() -> None:
    facts = healthy(START)
    one(facts).book_lag_ms = 1_001
    assert not health.view_is_quiet(one(facts), {}, START + 2_000, Rules(symbols=("A",)))
    assert health.view_is_quiet(one(facts), {}, START + 1_999, Rules(symbols=("A",)))
