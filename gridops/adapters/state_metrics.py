"""The engine's state as gauges, read a few times a second. What is not known is shown as NaN, never as zero.

Used by `record_metrics`. It reads the state and changes nothing in it; only here do engine figures become ratios and
seconds.
"""

import math
from collections.abc import Callable
from decimal import Decimal

from gridops.adapters.metrics import Metrics
from gridops.decide import drawdown, tieout_rows
from gridops.decide.budget import RateLedger, Window
from gridops.decide.levels import CONDITIONS
from gridops.domain.orders import Order
from gridops.domain.rules import BudgetRules
from gridops.domain.vocabulary import RESTING, FsmReason, MismatchKind, OrderState, Stream
from gridops.runtime import facts
from gridops.runtime.ports_journal import Journal
from gridops.runtime.state import EngineState, SymbolState

_LAG_SHOWN_MS = 60_000
_Number = int | float | Decimal


class StateGauges:
    """Shows one engine's state."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        now_ms: Callable[[], int] | None,
        journal: Journal | None,
        disk_free: Callable[[], int] | None,
        held: Callable[[], tuple[float, float]] | None,
    ) -> None:
        self._set = metrics.set
        self._metrics, self._now_ms = metrics, now_ms
        self._journal, self._disk_free, self._held = journal, disk_free, held
        self._open: set[tuple[FsmReason, str]] = set()
        self._acknowledged: dict[str, int] = {}
        self._commits_failed = 0
        self._lag_s: float | None = None

    def condition(self, reason: FsmReason, scope: str, *, is_open: bool) -> None:
        """An edge, shown at once; the next look at the state agrees with it."""
        if is_open:
            self._open.add((reason, scope))
        else:
            self._open.discard((reason, scope))
        self._show_condition(reason)

    def loop_lag(self, seconds: float) -> None:
        self._lag_s = seconds
        self._set("loop_lag_seconds", v=seconds)

    def show(self, state: EngineState) -> None:
        """Put every gauge the state can tell."""
        now_ms = state.now_ms if self._now_ms is None else max(self._now_ms(), state.now_ms)
        self._lifecycle(state, now_ms)
        self._orders(state)
        self._truth(state)
        self._money(state)
        for symbol in state.symbols.values():
            self._symbol(state, symbol)
        self._feeds(state, now_ms)
        self._venue(state)
        self._process(state, now_ms)
        self._host()

    def _lifecycle(self, state: EngineState, now_ms: int) -> None:
        self._metrics.one_hot("fsm_current_state", state.fsm.state)
        self._set("fsm_state_seconds", v=_seconds(now_ms - state.fsm.since_ms))
        self._open = {(level.reason, level.scope) for level in state.levels.values()}
        for reason in CONDITIONS:
            self._show_condition(reason)

    def _show_condition(self, reason: FsmReason) -> None:
        self._set("fsm_condition_open", (reason,), int(any(known is reason for known, _ in self._open)))

    def _orders(self, state: EngineState) -> None:
        orders = [order for symbol in state.symbols.values() for order in symbol.orders.values()]
        self._set("orders_open", v=sum(order.state in RESTING for order in orders))
        self._set("orders_unknown", v=sum(_unknown(order) for order in orders))
        self._set("levels_planned", v=sum(symbol.targets for symbol in state.symbols.values()))
        working = {(order.symbol, order.level) for order in orders if order.level and order.live}
        self._set("levels_working", v=len(working))

    def _truth(self, state: EngineState) -> None:
        synced = state.sync.reconciled_ms
        unix_ms = state.wall_ms - (state.now_ms - synced) if synced else 0
        self._set("sync_last_success_timestamp_seconds", v=_seconds(unix_ms))
        self._set("sync_venue_update_timestamp_seconds", v=_seconds(_newest_venue_ms(state)))
        open_now = [known.kind for known in state.sync.suspicions.values() if known.confirmed]
        for kind in MismatchKind:
            self._set("sync_mismatch_open", (kind,), open_now.count(kind))

    def _money(self, state: EngineState) -> None:
        self._set("equity_quote", v=_known(facts.equity(state)))
        parts = [facts.unrealised(symbol) for symbol in state.symbols.values()]
        total = None if None in parts else sum((part for part in parts if part is not None), Decimal(0))
        self._set("unrealised_quote", v=_known(total))
        self._set("margin_ratio", v=Decimal(state.health.margin_ratio_bps) / 10_000)
        base = state.drawdown.baseline
        self._set("drawdown_bps", v=math.nan if base is None else drawdown.drawdown_bps(state.drawdown))
        rows = tieout_rows.residuals(state.ledger.tie)
        for asset, wallet in state.ledger.venue_wallet.items():
            self._residual(state, asset, wallet, rows.get(asset, Decimal(0)))

    def _residual(self, state: EngineState, asset: str, venue: Decimal, rows: Decimal) -> None:
        """The larger of the two: of the wallet, and of rows that both sides booked otherwise."""
        ours = state.ledger.wallet.get(asset)
        if ours is not None and asset in {symbol.instrument.settle_asset for symbol in state.symbols.values()}:
            self._set("tieout_residual", (asset,), max(venue - ours, rows, key=abs))

    def _symbol(self, state: EngineState, symbol: SymbolState) -> None:
        name = (symbol.symbol,)
        self._set("position_lots", name, symbol.position_lots if symbol.position_known else math.nan)
        self._set("wce_quote", name, symbol.instrument.unit * facts.wce_units(symbol))
        self._set("exposure_cap_quote", name, state.rules.risk.symbol_cap)
        self._set("liquidation_distance_bps", name, _liquidation_bps(symbol))

    def _feeds(self, state: EngineState, now_ms: int) -> None:
        views = [symbol.view for symbol in state.symbols.values()]
        seen = {
            Stream.BOOK: [view.book_seen_ms for view in views],
            Stream.TRADE: [view.trade_seen_ms for view in views],
            Stream.MARK: [view.mark_seen_ms for view in views],
            # A quiet account has nothing to say, so a user stream that is up counts as fresh.
            Stream.USER: [now_ms if state.health.user_up else state.health.user_since_ms],
        }
        for stream, times in seen.items():
            oldest = min(times, default=0)
            self._set("feed_age_seconds", (stream,), _seconds(now_ms - oldest) if oldest else math.inf)

    def _venue(self, state: EngineState) -> None:
        weight, orders = used_shares(state.budget, state.rules.budget, state.venue_ms)
        self._set("rate_weight_used_ratio", v=weight)
        self._set("rate_orders_used_ratio", v=orders)
        self._set("clock_offset_seconds", v=_seconds(state.health.clock_offset_ms))
        armed = {name: memory.armed_sent_ms for name, memory in state.deadman.items()}
        self._set("deadman_armed", v=sum(sent is not None for sent in armed.values()))
        for name, sent_ms in armed.items():
            # An acknowledged beat has no record; it shows as a new time in the memory.
            if sent_ms is not None and self._acknowledged.get(name) != sent_ms:
                self._acknowledged[name] = sent_ms
                self._metrics.inc("deadman_beats_total", ("ok",))

    def _process(self, state: EngineState, now_ms: int) -> None:
        self._set("lease_held", v=int(state.health.lease_held))
        self._set("lease_epoch", v=state.identity.epoch)
        self._set("last_step_timestamp_seconds", v=_seconds(state.wall_ms))
        if self._lag_s is None:
            recent = now_ms - state.health.loop_lag_seen_ms <= _LAG_SHOWN_MS
            self._set("loop_lag_seconds", v=_seconds(state.health.loop_lag_ms) if recent else 0)

    def _host(self) -> None:
        if self._journal is not None:
            self._set("journal_bytes", v=_asked(self._journal.bytes_used))
            failed = self._journal.failures
            self._metrics.inc("journal_failures_total", n=failed - self._commits_failed)
            self._commits_failed = failed
        if self._disk_free is not None:
            self._set("disk_free_bytes", v=_asked(self._disk_free))
        if self._held is not None:
            blocks, heap_bytes = self._held()
            self._set("memory_blocks", v=blocks)
            self._set("memory_heap_bytes", v=heap_bytes)


def used_shares(ledger: RateLedger, rules: BudgetRules, venue_ms: int) -> tuple[Decimal, Decimal]:
    """Used parts of the weight limit and of the nearer order limit; 1 while the venue has banned us."""
    if venue_ms < ledger.banned_until_ms:
        return Decimal(1), Decimal(1)
    orders = max(
        _share(ledger.orders_10s, rules.orders_10s, venue_ms), _share(ledger.orders_1m, rules.orders_1m, venue_ms)
    )
    return _share(ledger.weight_1m, rules.weight_1m, venue_ms), orders


def _share(window: Window, limit: int, venue_ms: int) -> Decimal:
    past = venue_ms // window.length_ms - window.index
    used = window.used if past <= 0 else window.carried if past == 1 else 0
    return Decimal(used) / limit


def _unknown(order: Order) -> bool:
    return order.state is OrderState.UNKNOWN or (order.pending is not None and order.pending.unknown)


def _newest_venue_ms(state: EngineState) -> int:
    """Venue time of the newest private fact: an order's, a fill's or a balance's; 0 = none yet."""
    newest = state.ledger.venue_wallet_ms
    for symbol in state.symbols.values():
        known = (*symbol.orders.values(), *symbol.closed.values())
        newest = max(newest, symbol.last_fill_ms, symbol.venue_lots_ms, *(order.updated_ms for order in known))
    return newest


def _liquidation_bps(symbol: SymbolState) -> _Number:
    """Distance in bps of mark, infinite when flat; NaN when the venue has not said."""
    if not symbol.venue_lots_ms:
        return math.nan
    if not symbol.venue_lots:
        return math.inf
    mark, price = symbol.venue_mark, symbol.liquidation_price
    return abs(mark - price) / mark * 10_000 if mark > 0 and price > 0 else math.nan


def _known(amount: Decimal | None) -> _Number:
    return math.nan if amount is None else amount


def _seconds(ms: int) -> Decimal:
    return Decimal(ms) / 1000


def _asked(figure: Callable[[], int]) -> _Number:
    try:
        return figure()
    except OSError:
        return math.nan
