"""The gate chain: every reason for which a request may not leave, each judged by one small function.

The router asks it for each candidate and the outbox once more. Which gate may stop which intent is a table; a gate not
marked for an intent is never asked about it, so protection is not held up by a check it does not need. A refusal is a
value with its figures; nothing is changed here.
"""

from collections.abc import Callable

from gridops.decide import exposure
from gridops.decide.gate_view import GateView
from gridops.decide.permissions import PERMISSIONS, Grant
from gridops.decide.words import AMEND_OP, CANCEL_OP, PLACE_OP
from gridops.domain.orders import Order
from gridops.domain.plan import Request, Verdict
from gridops.domain.values import value
from gridops.domain.vocabulary import Gate, Intent, OpKind, StopMode

MAX_DECISION_AGE_MS = 500
MAX_STEP_AGE_MS = 300
"""A process that was stopped wakes up refusing: both ages by the clock that counts suspend."""
CANCEL_WEIGHT, DEADMAN_WEIGHT = 1, 10
"""IP weight of DELETE order and of countdownCancelAll; place and amend cost none."""

I, R, C = Intent.INCREASE, Intent.REDUCE, Intent.CANCEL  # noqa: E741
Judge = Callable[[Request, GateView], str]
"""Empty = allowed; otherwise why not."""


@value
class Link:
    gate: Gate
    intents: frozenset[Intent]
    judge: Judge


def check(request: Request, view: GateView) -> tuple[Verdict, ...]:
    """The verdict of every gate that applies, in order."""
    found = []
    for gate, judge in _BY_INTENT[request.intent]:
        detail = judge(request, view)
        found.append(Verdict(gate, not detail, detail))
    return tuple(found)


def first_refusal(request: Request, view: GateView) -> Verdict | None:
    """The first gate that stops the request; None when all let it pass."""
    for gate, judge in _BY_INTENT[request.intent]:
        detail = judge(request, view)
        if detail:
            return Verdict(gate, False, detail)
    return None


def chain_for(view: GateView) -> Callable[[Request], Verdict | None]:
    """`first_refusal` for many requests against one view that does not change meanwhile.

    What a standing gate says depends on the view, the symbol and the intent alone: it is asked once per intent, and the
    chain ends at the first that says no. The gate on live orders is about placing only.
    """
    chains: dict[tuple[OpKind, Intent], tuple[tuple[tuple[Gate, Judge], ...], Verdict | None]] = {}
    symbol = ""

    def refuse(request: Request) -> Verdict | None:
        nonlocal symbol
        symbol = symbol or request.symbol
        if request.kind is _DEADMAN or request.symbol != symbol:
            return first_refusal(request, view)
        key = (request.kind, request.intent)
        chain = chains.get(key)
        if chain is None:
            chain = chains[key] = _shortened(request, view)
        for gate, judge in chain[0]:
            detail = judge(request, view)
            if detail:
                return Verdict(gate, False, detail)
        return chain[1]

    return refuse


def _shortened(request: Request, view: GateView) -> tuple[tuple[tuple[Gate, Judge], ...], Verdict | None]:
    """The gates of this intent left to ask for each request, and the standing refusal behind them, if there is one."""
    left = []
    for gate, judge in _BY_INTENT[request.intent]:
        if gate is Gate.PENDING and request.kind is not PLACE_OP:
            continue
        if gate not in _STANDING or (gate is Gate.FSM and request.intent is C):
            left.append((gate, judge))
            continue
        detail = judge(request, view)
        if detail:
            return tuple(left), Verdict(gate, False, detail)
    return tuple(left), None


def permit(request: Request, view: GateView) -> bool:
    return first_refusal(request, view) is None


def state_permits(request: Request, view: GateView) -> bool:
    """Whether the lifecycle state alone lets the request through."""
    return not _fsm(request, view)


def _mode(_request: Request, view: GateView) -> str:
    return "" if view.mode_ok else "the run's mode writes nothing to this venue"


def _environment(_request: Request, view: GateView) -> str:
    return "" if view.fingerprint_ok else "the environment is not the one this run was bound to"


def _armed(_request: Request, view: GateView) -> str:
    return "" if view.armed else "not armed"


def _kill_latch(_request: Request, view: GateView) -> str:
    return "the kill switch is latched" if view.kill_latched else ""


def _fsm(request: Request, view: GateView) -> str:
    if request.kind is _DEADMAN:
        return ""
    grant = PERMISSIONS[view.state].of(request.intent)
    if grant is Grant.YES:
        return ""
    if grant is Grant.NO:
        return f"{view.state} permits no {request.intent}"
    if grant is Grant.WITHIN_CAPS:
        return "" if view.throttle_ok else "beyond the throttle caps"
    if grant is Grant.FRESH_READ:
        age = view.position_read_age_ms
        fresh = age is not None and age <= view.position_read_limit_ms
        return "" if fresh else f"{view.state}: position read {age} ms old, limit {view.position_read_limit_ms}"
    if grant is Grant.NAMED_BY_READ:
        named = request.client_id in view.named_by_read
        return "" if named else f"{view.state}: no venue read of this boot named {request.client_id or 'the order'}"
    allowed = view.stop_mode in (StopMode.REDUCE, StopMode.FLATTEN)
    return "" if allowed else f"stop mode {view.stop_mode} reduces nothing"


def _lease(request: Request, view: GateView) -> str:
    if view.foreign_writer or request.own_epoch > view.lease_epoch:
        return f"an order with a newer epoch than {view.lease_epoch} exists: another instance writes"
    if view.lease_held:
        return ""
    own = request.kind is CANCEL_OP and request.own_epoch == view.lease_epoch
    return "" if own else "the lease is not held"


def _whitelist(request: Request, view: GateView) -> str:
    return "" if request.symbol in view.whitelist else f"{request.symbol} is not on the whitelist"


def _data_trust(request: Request, view: GateView) -> str:
    return f"{request.symbol} is frozen" if request.symbol in view.frozen else ""


def _filters(request: Request, view: GateView) -> str:
    if request.intent is R:
        return view.bounds.refuse_reduction(request)
    if not view.filters_fresh:
        return "the instrument rules are stale"
    return view.bounds.refuse(request)


def _drawdown(_request: Request, view: GateView) -> str:
    return "a drawdown is suspected or confirmed" if view.drawdown_active else ""


def _exposure(request: Request, view: GateView) -> str:
    after = view.sums.wce_with(request, _original(request, view), view.position_lots, view.venue_lots)
    if after > view.cap_units:
        return f"worst case {after} units, cap {view.cap_units}"
    if view.other_units + after > view.account_cap_units:
        return f"account worst case {view.other_units + after} units, cap {view.account_cap_units}"
    return ""


def _order_size(request: Request, view: GateView) -> str:
    original = _original(request, view)
    lots = request.lots - (original.filled_lots if original is not None else 0)
    units = lots * max(request.price_ticks, view.sums.mark_ticks)
    return "" if units <= view.max_order_units else f"order of {units} units, limit {view.max_order_units}"


def _pending(request: Request, view: GateView) -> str:
    if request.kind is not PLACE_OP or view.sums.pending < view.max_pending:
        return ""
    return f"{view.sums.pending} orders may be live, limit {view.max_pending}"


def _reduce_only(request: Request, view: GateView) -> str:
    if not request.reduce_only:
        return ""
    position = view.position_lots if view.venue_lots is None else view.venue_lots
    room = max(0, -position * request.side.sign)
    after = exposure.reduce_only_after(request, _original(request, view), view.sums)
    return "" if after <= room else f"reduce-only orders of {after} lots against a position of {position}"


def _self_cross(request: Request, view: GateView) -> str:
    return "would trade against an order of our own" if exposure.self_cross(request, view.sums) else ""


def _churn(_request: Request, view: GateView) -> str:
    return "" if view.churn_left > 0 else "the hourly ceiling of increasing requests is reached"


def _budget(request: Request, view: GateView) -> str:
    budget = view.budget
    if budget.banned:
        return "the venue bans this address: nothing leaves"
    if request.intent is C:
        need = DEADMAN_WEIGHT if request.kind is _DEADMAN else CANCEL_WEIGHT
        return "" if budget.weight_reserve >= need else f"weight left {budget.weight_reserve}, needs {need}"
    slots = budget.orders if request.intent is I else budget.orders_reserve
    return "" if slots > 0 else "the order budget is used up"


def _deadman(_request: Request, view: GateView) -> str:
    return "" if view.deadman_ok else "the dead-man switch is not armed"


def _decision_age(_request: Request, view: GateView) -> str:
    return stale_decision(view.decision_age_ms, view.step_age_ms)


def stale_decision(decision_age_ms: int, step_age_ms: int) -> str:
    """Why a decision of this age may not raise risk; empty when it may."""
    if decision_age_ms > MAX_DECISION_AGE_MS:
        return f"decided {decision_age_ms} ms ago, limit {MAX_DECISION_AGE_MS}"
    if step_age_ms > MAX_STEP_AGE_MS:
        return f"last step {step_age_ms} ms ago, limit {MAX_STEP_AGE_MS}"
    return ""


def _original(request: Request, view: GateView) -> Order | None:
    return view.orders.get(request.client_id) if request.kind is AMEND_OP else None


_ALL, _RISK, _INC, _RED = frozenset({I, R, C}), frozenset({I, R}), frozenset({I}), frozenset({R})
CHAIN: tuple[Link, ...] = (
    Link(Gate.MODE, _ALL, _mode),
    Link(Gate.ENVIRONMENT, _ALL, _environment),
    Link(Gate.ARMED, _INC, _armed),
    Link(Gate.KILL_LATCH, _INC, _kill_latch),
    Link(Gate.FSM, _ALL, _fsm),
    Link(Gate.LEASE, _ALL, _lease),
    Link(Gate.WHITELIST, _INC, _whitelist),
    Link(Gate.DATA_TRUST, _INC, _data_trust),
    Link(Gate.FILTERS, _RISK, _filters),
    Link(Gate.DRAWDOWN, _INC, _drawdown),
    Link(Gate.EXPOSURE, _INC, _exposure),
    Link(Gate.ORDER_SIZE, _INC, _order_size),
    Link(Gate.PENDING, _INC, _pending),
    Link(Gate.REDUCE_ONLY, _RED, _reduce_only),
    Link(Gate.SELF_CROSS, _RISK, _self_cross),
    Link(Gate.CHURN, _INC, _churn),
    Link(Gate.BUDGET, _ALL, _budget),
    Link(Gate.DEADMAN, _INC, _deadman),
    Link(Gate.DECISION_AGE, _INC, _decision_age),
)
_BY_INTENT: dict[Intent, tuple[tuple[Gate, Judge], ...]] = {
    intent: tuple((link.gate, link.judge) for link in CHAIN if intent in link.intents) for intent in Intent
}

_DEADMAN = OpKind.DEADMAN
_STANDING = frozenset(
    {
        Gate.MODE,
        Gate.ENVIRONMENT,
        Gate.ARMED,
        Gate.KILL_LATCH,
        Gate.FSM,
        Gate.WHITELIST,
        Gate.DATA_TRUST,
        Gate.DRAWDOWN,
        Gate.CHURN,
        Gate.BUDGET,
        Gate.DEADMAN,
        Gate.DECISION_AGE,
    }
)
"""Gates whose answer depends on the view, the symbol and the intent alone; FSM looks at a cancel's order in INIT."""


def last_hop(
    request: Request,
    *,
    mode_ok: bool,
    fingerprint_ok: bool,
    permission: bool,
    state_epoch_now: int,
    state_epoch_decided: int,
    lease_held: bool,
    lease_epoch_now: int,
    lease_epoch_decided: int,
    kill_latched: bool,
    age_ns: int,
    step_age_ns: int,
) -> Verdict | None:
    """The outbox's own check at the moment of sending; None = send.

    `permission` is what the present state grants to this request. What raises risk also dies with the state epoch, the
    kill latch and its own age; protection asks for mode, environment, permission and lease only.
    """
    if not mode_ok:
        return Verdict(Gate.MODE, False, "the run's mode writes nothing to this venue")
    if not fingerprint_ok:
        return Verdict(Gate.ENVIRONMENT, False, "the environment is not the one this run was bound to")
    if request.intent is I and kill_latched:
        return Verdict(Gate.KILL_LATCH, False, "the kill switch is latched")
    if not permission:
        return Verdict(Gate.FSM, False, f"the state permits no {request.intent}")
    if request.intent is I and state_epoch_now != state_epoch_decided:
        return Verdict(Gate.FSM, False, f"decided in state epoch {state_epoch_decided}, now {state_epoch_now}")
    refusal = _lease_at_last_hop(request, lease_held, lease_epoch_now, lease_epoch_decided)
    if refusal:
        return Verdict(Gate.LEASE, False, refusal)
    stale = stale_decision(age_ns // 1_000_000, step_age_ns // 1_000_000) if request.intent is I else ""
    return Verdict(Gate.DECISION_AGE, False, stale) if stale else None


def _lease_at_last_hop(request: Request, held: bool, epoch_now: int, epoch_decided: int) -> str:
    if request.own_epoch > epoch_now:
        return f"the order belongs to epoch {request.own_epoch}, ours is {epoch_now}"
    if held and epoch_now == epoch_decided:
        return ""
    own = request.kind is CANCEL_OP and request.own_epoch == epoch_decided
    return "" if own else f"lease held: {held}, epoch {epoch_now}, decided under {epoch_decided}"
