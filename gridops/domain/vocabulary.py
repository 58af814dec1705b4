"""Every word gridops decides with. An enum value is the reason, the metric label, the log field and the runbook anchor.

Members are strings, so they hash in C and go into the journal as they are.
"""

from enum import StrEnum


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell: what a filled lot does to the signed position."""
        # By its value: a member looked up on its class costs ten times as much, and this is asked for everywhere.
        return 1 if self == "BUY" else -1

    @property
    def other(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    GTC = "GTC"
    GTX = "GTX"
    """Post-only: the venue refuses the order instead of letting it take."""
    IOC = "IOC"


class OrderState(StrEnum):
    INTENT = "INTENT"
    """Journaled, not yet handed to the wire."""
    SENT = "SENT"
    OPEN = "OPEN"
    PARTIAL = "PARTIAL"
    UNKNOWN = "UNKNOWN"
    """The venue may or may not have it; left only by venue evidence or proven absence."""
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"
    """Proven absent, or refused before it left."""


TERMINAL = frozenset(
    {OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.FAILED}
)
RESTING = frozenset({OrderState.OPEN, OrderState.PARTIAL})


class Intent(StrEnum):
    """What a request does to the worst-case exposure."""

    INCREASE = "increase"
    REDUCE = "reduce"
    CANCEL = "cancel"


class OpKind(StrEnum):
    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel_all"
    DEADMAN = "deadman"


class WriteOutcome(StrEnum):
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    """The venue said no; nothing happened."""
    DENIED = "denied"
    """Our own outbox said no; nothing left."""
    UNKNOWN = "unknown"


class QueryKind(StrEnum):
    ORDER = "order"
    OPEN_ORDERS = "open_orders"
    POSITIONS = "positions"
    """Positions, balances and account modes in one read."""
    TRADES = "trades"
    INCOME = "income"
    TIME = "time"
    RULES = "rules"


class Stream(StrEnum):
    BOOK = "book"
    TRADE = "trade"
    MARK = "mark"
    USER = "user"


class FsmState(StrEnum):
    INIT = "INIT"
    READY = "READY"
    ACTIVE = "ACTIVE"
    THROTTLED = "THROTTLED"
    PAUSED = "PAUSED"
    DEGRADED = "DEGRADED"
    EMERGENCY = "EMERGENCY"
    STOPPING = "STOPPING"


class FsmEvent(StrEnum):
    """In order of priority: the first whose row changes the state wins."""

    KILL = "KILL"
    BREACH = "BREACH"
    STOP = "STOP"
    TRUST_LOST = "TRUST_LOST"
    PAUSE = "PAUSE"
    READY_LOST = "READY_LOST"
    THROTTLE = "THROTTLE"
    BOOT_OK = "BOOT_OK"
    TRUST_BACK = "TRUST_BACK"
    PAUSE_OVER = "PAUSE_OVER"
    THROTTLE_OVER = "THROTTLE_OVER"
    QUOTE = "QUOTE"
    ACK = "ACK"


class FsmReason(StrEnum):
    """Why a level is open, or why a transition happened. One closed set for both."""

    KILL_SWITCH = "kill_switch"
    DRAWDOWN = "drawdown"
    MARGIN_CRITICAL = "margin_critical"
    EXPOSURE_CAP = "exposure_cap"
    OPERATOR_STOP = "operator_stop"
    SIGNAL = "signal"
    MARKET_ENDED = "market_ended"
    FEED_STALE = "feed_stale"
    USER_STREAM_LOST = "user_stream_lost"
    CLOCK_SKEW = "clock_skew"
    FILTERS_STALE = "filters_stale"
    POSITION_MISMATCH = "position_mismatch"
    ORDERS_UNKNOWN = "orders_unknown"
    SYNC_FAILING = "sync_failing"
    JOURNAL_FAILED = "journal_failed"
    LEASE_LOST = "lease_lost"
    FOREIGN_WRITER = "foreign_writer"
    RATE_BANNED = "rate_banned"
    AUTH_REJECTED = "auth_rejected"
    VENUE_DOWN = "venue_down"
    ENVIRONMENT_CHANGED = "environment_changed"
    MODE_CHANGED = "mode_changed"
    BOOK_INVALID = "book_invalid"
    RESUMED = "resumed"
    LOOP_LAG = "loop_lag"
    DISK_LOW = "disk_low"
    INVARIANT_BROKEN = "invariant_broken"
    DEADMAN_PRESUMED_FIRED = "deadman_presumed_fired"
    OPERATOR_PAUSE = "operator_pause"
    TOXICITY_HIGH = "toxicity_high"
    LOSS_STREAK = "loss_streak"
    DAILY_DRAWDOWN = "daily_drawdown"
    EXPOSURE_HIGH = "exposure_high"
    OUT_OF_RANGE = "out_of_range"
    MAINTENANCE = "maintenance"
    DISARMED = "disarmed"
    FOLLOWER = "follower"
    FEEDS_NOT_READY = "feeds_not_ready"
    TOXICITY_MID = "toxicity_mid"
    RATE_BUDGET_LOW = "rate_budget_low"
    BOOT_STUCK = "boot_stuck"
    """INIT for more than a minute; a page, not an event of the table."""
    EVIDENCE_FAILED = "evidence_failed"
    """Bundles cannot be written; a page too: evidence never holds up protection."""
    HEALTH_OK = "health_ok"
    TRUST_RESTORED = "trust_restored"
    OPERATOR_RESUME = "operator_resume"
    TOXICITY_LOW = "toxicity_low"
    STREAK_COOLED = "streak_cooled"
    DAY_ROLLED = "day_rolled"
    BACK_IN_RANGE = "back_in_range"
    RATE_BUDGET_BACK = "rate_budget_back"
    FEEDS_READY = "feeds_ready"
    OPERATOR_ACK = "operator_ack"
    LATCHED = "latched"
    """Stay: EMERGENCY is left by an operator's ack and nothing else."""
    HELD = "held"
    """Stay: a level that forbids the move is open, or its dwell has not passed."""
    NO_CHANGE = "no_change"


class Gate(StrEnum):
    """The chain every request passes, in this order, at the router and again at the last hop."""

    MODE = "mode"
    ENVIRONMENT = "environment"
    ARMED = "armed"
    KILL_LATCH = "kill_latch"
    FSM = "fsm"
    LEASE = "lease"
    WHITELIST = "whitelist"
    DATA_TRUST = "data_trust"
    FILTERS = "filters"
    DRAWDOWN = "drawdown"
    EXPOSURE = "exposure"
    ORDER_SIZE = "order_size"
    PENDING = "pending"
    REDUCE_ONLY = "reduce_only"
    SELF_CROSS = "self_cross"
    CHURN = "churn"
    BUDGET = "budget"
    DEADMAN = "deadman"
    DECISION_AGE = "decision_age"


class OutboxReason(StrEnum):
    """Why the outbox lets something not leave that no gate stops, a reduction as well; then it is decided anew."""

    JOURNAL_FAILED = "journal_failed"
    LATE = "late"
    """So old that its order may have been asked for meanwhile, and proven absent."""
    OUTRUN = "outrun"
    """An amend to what is filled by now, which the venue would cancel."""


class Decision(StrEnum):
    """Exactly these three values, always; everything finer is a reason."""

    AMEND = "amend"
    CANCEL_REPLACE = "cancel_replace"
    NOOP = "noop"


class RouterReason(StrEnum):
    # noop
    UNCHANGED = "unchanged"
    WITHIN_HOLD_BAND = "within_hold_band"
    FROZEN_IN_FLIGHT = "frozen_in_flight"
    FROZEN_UNKNOWN = "frozen_unknown"
    PARTIAL_IN_FLIGHT = "partial_in_flight"
    REFILL_WAIT = "refill_wait"
    BLOCKED_FILTER = "blocked_filter"
    BLOCKED_GATE = "blocked_gate"
    BLOCKED_POST_ONLY = "blocked_post_only"
    BLOCKED_SELF_CROSS = "blocked_self_cross"
    DEFERRED_BUDGET = "deferred_budget"
    DEFERRED_SEQUENCE = "deferred_sequence"
    DEFERRED_REFUSED = "deferred_refused"
    """The venue gave the same refusal three times: one probe a minute."""
    # amend
    OUTSIDE_HOLD_BAND = "outside_hold_band"
    SIZE_CHANGED = "size_changed"
    # cancel_replace
    NEW_LEVEL = "new_level"
    REPLACEMENT = "replacement"
    """Second leg of a declared pair, after the first was proven terminal."""
    SURPLUS_LEVEL = "surplus_level"
    IMMUTABLE_FIELD = "immutable_field"
    TARGET_AT_OR_BELOW_FILLED = "target_at_or_below_filled"
    POST_ONLY_WOULD_CROSS = "post_only_would_cross"
    AMEND_LIMIT = "amend_limit"
    AMEND_UNSUPPORTED = "amend_unsupported"
    STATE_FORBIDS = "state_forbids"
    """The lifecycle state does not let this order rest; cancelled, not replaced."""
    ORPHAN = "orphan"
    KILL = "kill"
    STOP = "stop"
    FLATTEN = "flatten"


class Regime(StrEnum):
    UNKNOWN = "unknown"
    CALM = "calm"
    NORMAL = "normal"
    TREND = "trend"
    VOLATILE = "volatile"
    THIN = "thin"


class MismatchKind(StrEnum):
    FILL_MISSING = "fill_missing"
    POSITION_QTY = "position_qty"
    POSITION_SIDE = "position_side"
    ORDER_MISSING_AT_VENUE = "order_missing_at_venue"
    ORDER_ORPHAN_OWN = "order_orphan_own"
    ORDER_FOREIGN = "order_foreign"
    ORDER_FIELD_DIVERGED = "order_field_diverged"
    MODE_CHANGED = "mode_changed"
    LEVERAGE_CHANGED = "leverage_changed"
    FILTERS_CHANGED = "filters_changed"
    BALANCE_RESIDUAL = "balance_residual"
    DUPLICATE_KEY = "duplicate_key"
    TIME_REGRESSION = "time_regression"
    MALFORMED = "malformed"


class Severity(StrEnum):
    INFO = "info"
    WARN = "warn"
    CRITICAL = "critical"


class StopMode(StrEnum):
    CANCEL = "cancel"
    LEAVE = "leave"
    REDUCE = "reduce"
    FLATTEN = "flatten"


class OnBreach(StrEnum):
    """What EMERGENCY does about the position, the strictest first."""

    FLATTEN = "flatten"
    REDUCE_TO_CAP = "reduce_to_cap"
    CANCEL_ONLY = "cancel_only"


class OperatorCommand(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    ACK = "ack"
    KILL = "kill"
    STOP = "stop"
    SIGNAL = "signal"
    """Sets a test signal until it expires; carried by the request."""
    SYNC = "sync"
    """Compares both sides by fresh reads; with a digest it carries out the plan of that digest."""
    STATUS = "status"


class VenueCode(StrEnum):
    """Our own reading of the venue's numeric errors; decisions never look at a library's exception class."""

    OK = "ok"
    TIMEOUT = "timeout"
    """No answer, a dropped connection, or "execution unknown"."""
    OVERLOADED = "overloaded"
    """Failed for certain: -1008, "Service Unavailable"."""
    RATE_LIMIT = "rate_limit"
    BANNED = "banned"
    CLOCK = "clock"
    AUTH = "auth"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    UNKNOWN_ORDER = "unknown_order"
    """-2011: the cancel found no such open order."""
    NO_SUCH_ORDER = "no_such_order"
    """-2013: the query or amend found no such order."""
    POST_ONLY = "post_only"
    REDUCE_ONLY = "reduce_only"
    MARGIN = "margin"
    FILTER = "filter"
    AMEND_UNCHANGED = "amend_unchanged"
    AMEND_LIMIT = "amend_limit"
    AMEND_PENDING = "amend_pending"
    AMEND_REFUSED = "amend_refused"
    SYMBOL_STATUS = "symbol_status"
    MODE = "mode"
    LISTEN_KEY = "listen_key"
    BAD_REQUEST = "bad_request"
    OTHER = "other"
