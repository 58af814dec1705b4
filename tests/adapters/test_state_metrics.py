"""The gauges show the state as it is now, and what is not known as NaN."""

import math
from decimal import Decimal

from gridops.adapters.metric_labels import open_metrics
from gridops.adapters.record_metrics import MetricsSink
from gridops.adapters.state_metrics import used_shares
from gridops.decide.budget import Cost, new_ledger, spend
from gridops.decide.deadman import DeadmanMemory
from gridops.decide.sync import Suspicion
from gridops.domain.rules import BudgetRules
from gridops.domain.vocabulary import FsmState, MismatchKind, Severity
from gridops.runtime.ports_journal import CheckpointRow, JournalRow, Token
from gridops.runtime.state import EngineState
from tests.adapters.record_kit import SYMBOL, WALL_MS, edge, engine_state, header

MINUTE = 1_721_347_200_000


class FakeJournal:
    """Only its figures are asked for."""

    failures = 0

    def append(self, row: JournalRow) -> Token:
        raise NotImplementedError

    def checkpoint(self, row: CheckpointRow) -> Token:
        raise NotImplementedError

    def on_commit(self, callback: object) -> None:
        raise NotImplementedError

    def flush(self, timeout_s: float) -> bool:
        return True

    def close(self) -> None:
        return

    def bytes_used(self) -> int:
        return 4096


def shown(state: EngineState, **more: object) -> MetricsSink:
    metrics = open_metrics(symbols=(SYMBOL,), assets=("USDT",), version="0")
    sink = MetricsSink(metrics, quote_asset="USDT", **more)  # type: ignore[arg-type]
    sink.gauge(state)
    return sink


def test_state_and_levels() -> None:
    read = shown(engine_state()).metrics.read
    assert [state for state in FsmState if read("fsm_current_state", (state.value,))] == [FsmState.ACTIVE]
    assert read("fsm_state_seconds") == 4
    assert read("fsm_condition_open", ("rate_budget_low",)) == 1
    assert read("fsm_condition_open", ("feed_stale",)) == 0
    assert (read("lease_held"), read("lease_epoch"), read("clock_offset_seconds")) == (1, 12, -0.25)
    assert read("last_step_timestamp_seconds") == WALL_MS / 1000


def test_orders_and_rungs() -> None:
    read = shown(engine_state()).metrics.read
    assert (read("orders_open"), read("orders_unknown")) == (2, 1)
    assert (read("levels_planned"), read("levels_working")) == (4, 3)


def test_exposure_is_the_worse_side_at_price_or_mark() -> None:
    read = shown(engine_state()).metrics.read
    # Sells of 10 lots at 64,010 and 64,020 against one buy of 10 lots at 63,990: 0.01 BTC each.
    assert read("wce_quote", (SYMBOL,)) == 1280.3
    assert read("exposure_cap_quote", (SYMBOL,)) == 20_000


def test_unknown_money_is_not_zero_money() -> None:
    state = engine_state()
    read = shown(state).metrics.read
    assert math.isnan(read("equity_quote")) and math.isnan(read("drawdown_bps"))
    assert math.isnan(read("liquidation_distance_bps", (SYMBOL,)))
    state.ledger.opened, state.ledger.wallet = True, {"USDT": Decimal("1000.5")}
    state.ledger.venue_wallet = {"USDT": Decimal("1000.75")}
    state.drawdown.baseline, state.drawdown.last = 1_000_000_000, 990_000_000
    state.symbols[SYMBOL].venue_lots_ms = WALL_MS
    read = shown(state).metrics.read
    assert (read("equity_quote"), read("unrealised_quote"), read("drawdown_bps")) == (1000.5, 0, 100)
    assert read("tieout_residual", ("USDT",)) == 0.25
    assert read("liquidation_distance_bps", (SYMBOL,)) == math.inf


def test_liquidation_distance_is_from_the_venues_figures() -> None:
    state = engine_state()
    symbol = state.symbols[SYMBOL]
    symbol.venue_lots, symbol.venue_lots_ms = 5, WALL_MS
    symbol.venue_mark, symbol.liquidation_price = Decimal(64_000), Decimal(57_600)
    assert shown(state).metrics.read("liquidation_distance_bps", (SYMBOL,)) == 1000


def test_ages_are_of_now_and_what_never_came_is_infinitely_old() -> None:
    read = shown(engine_state(), now_ms=lambda: 103_000).metrics.read
    assert read("feed_age_seconds", ("book",)) == 3.5
    assert read("feed_age_seconds", ("mark",)) == 5
    assert read("feed_age_seconds", ("trade",)) == math.inf
    assert read("feed_age_seconds", ("user",)) == 0
    assert read("fsm_state_seconds") == 7


def test_a_lost_user_stream_grows_old() -> None:
    state = engine_state()
    state.health.user_up, state.health.user_since_ms = False, 97_000
    assert shown(state).metrics.read("feed_age_seconds", ("user",)) == 3


def test_truth_times_are_unix_times() -> None:
    state = engine_state()
    key = "k"
    state.sync.suspicions[key] = Suspicion(
        MismatchKind.ORDER_FOREIGN, Severity.WARN, SYMBOL, key, "", "", 0, confirmed=True
    )
    state.symbols[SYMBOL].orders["a"].updated_ms = WALL_MS - 500
    read = shown(state).metrics.read
    assert read("sync_last_success_timestamp_seconds") == (WALL_MS - 10_000) / 1000
    assert read("sync_venue_update_timestamp_seconds") == (WALL_MS - 500) / 1000
    assert read("sync_mismatch_open", ("order_foreign",)) == 1
    assert read("sync_mismatch_open", ("fill_missing",)) == 0
    assert shown(EngineState(rules=state.rules)).metrics.read("sync_last_success_timestamp_seconds") == 0


def test_each_acknowledged_beat_counts_once() -> None:
    state = engine_state()
    state.deadman[SYMBOL] = DeadmanMemory()
    sink = shown(state)
    assert sink.metrics.read("deadman_armed") == 0
    for sent_ms in (90_000, 90_000, 120_000):
        state.deadman[SYMBOL].armed_sent_ms = sent_ms
        sink.gauge(state)
    assert sink.metrics.read("deadman_armed") == 1
    assert sink.metrics.read("deadman_beats_total", ("ok",)) == 2


def test_budget_shares_follow_the_venues_windows() -> None:
    ledger, rules = new_ledger(), BudgetRules(weight_1m=2_400, orders_10s=300, orders_1m=1_200)
    spend(ledger, Cost(orders_10s=30, orders_1m=60, weight=240), MINUTE)
    assert used_shares(ledger, rules, MINUTE + 100) == (Decimal("0.1"), Decimal("0.1"))
    assert used_shares(ledger, rules, MINUTE + 10_000) == (Decimal("0.1"), Decimal("0.05"))
    assert used_shares(ledger, rules, MINUTE + 60_000) == (Decimal(0), Decimal(0))
    ledger.banned_until_ms = MINUTE + 90_000
    assert used_shares(ledger, rules, MINUTE + 60_000) == (Decimal(1), Decimal(1))


def test_journal_and_disk_figures_are_asked_for() -> None:
    journal = FakeJournal()

    def full() -> int:
        raise OSError("gone")

    state = engine_state()
    sink = shown(state, journal=journal, disk_free=lambda: 10**9)
    assert (sink.metrics.read("journal_bytes"), sink.metrics.read("disk_free_bytes")) == (4096, 1e9)
    journal.failures = 3
    sink.gauge(state)
    sink.gauge(state)
    assert sink.metrics.read("journal_failures_total") == 3
    assert math.isnan(shown(state, disk_free=full).metrics.read("disk_free_bytes"))


def test_memory_in_use_is_asked_for() -> None:
    sink = shown(engine_state(), held=lambda: (350_000, 2e7))
    assert (sink.metrics.read("memory_blocks"), sink.metrics.read("memory_heap_bytes")) == (350_000, 2e7)


def test_levels_restored_without_an_edge_are_shown_and_edges_agree() -> None:
    state = engine_state()
    sink = shown(state)
    sink.take(header(8), [edge(is_open=True)])
    assert sink.metrics.read("fsm_condition_open", ("feed_stale",)) == 1
    sink.gauge(state)
    assert sink.metrics.read("fsm_condition_open", ("feed_stale",)) == 0, "the state has no such level"
