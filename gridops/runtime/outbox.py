"""The one way out: the gates once more at the moment of sending, and the wait for the journal before that.

A decision waits here until its row is durable. What cannot leave any more (too old, lease lost, state moved, latch
set) is answered as DENIED, so that the engine learns it as an input like any other.
"""

from collections.abc import Callable

from gridops.decide import gates
from gridops.decide.permissions import PERMISSIONS, Grant
from gridops.domain.effects import Send, WireOp
from gridops.domain.events import Event, WriteReply
from gridops.domain.ids import reserved
from gridops.domain.plan import Request
from gridops.domain.vocabulary import FsmState, Intent, OpKind, OutboxReason, VenueCode, WriteOutcome
from gridops.runtime.ports import Clock, KillLatch, Lease, Reserve
from gridops.runtime.ports_journal import Token
from gridops.runtime.state import EngineState

SILENT_MS = 1_500
"""A send whose commit nobody has heard of for so long is settled as one whose commit failed."""
LATEST_MS = 2_000
"""A place or an amend leaves within this of its decision or never: the engine proves by asking that one which was not
answered is absent, and the margin of that proof (rules.sync.settle_ms) allows no longer wait. Whatever is still wanted
is decided anew."""


class Outbox:
    """Holds what waits for the disk, refuses what became stale, and launches the rest."""

    def __init__(
        self,
        *,
        clock: Clock,
        lease: Lease,
        latch: KillLatch,
        reserve: Reserve,
        launch: Callable[[Send], None],
        put: Callable[[Event], None],
        alarm: Callable[[str], None],
    ) -> None:
        self._clock, self._lease, self._latch, self._reserve = clock, lease, latch, reserve
        self._launch, self._put, self._alarm = launch, put, alarm
        self._waiting: dict[int, tuple[list[Send], bytes]] = {}
        self.last_step_ns = clock.boot_ns()

    def submit(self, sends: list[Send], token: Token, body: bytes, state: EngineState) -> None:
        """Take one step's sends: pure cancels and beats leave at once, the rest when `token` is durable."""
        held = [send for send in sends if send.durable]
        for send in sends:
            if not send.durable:
                self._release(send, state)
        if held:
            if token.done():
                self._settle(held, token, body, state)
            else:
                self._waiting[token.seq] = (held, body)

    def committed(self, token: Token, state: EngineState) -> None:
        """A row's fate is known."""
        held = self._waiting.pop(token.seq, None)
        if held is not None:
            self._settle(held[0], token, held[1], state)

    def disk_silent(self, error: BaseException, state: EngineState) -> None:
        """No word of what has waited too long: as if its commit had failed, so that an exit is not held up by it."""
        limit_ns = self._clock.boot_ns() - SILENT_MS * 1_000_000
        late = [seq for seq, (sends, _) in self._waiting.items() if sends[0].decided_boot_ns <= limit_ns]
        for seq in late:
            sends, body = self._waiting.pop(seq)
            self._settle(sends, _Unheard(seq, error), body, state)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def leaving(self, send: Send, state: EngineState) -> Send | None:
        """What of a released send may still leave right now, by every gate of the last hop; the rest is DENIED.

        Between its release and its task's turn the loop may have taken a kill, or the process may have been stopped.
        """
        allowed = self._allowed(send, state)
        return _only(send, allowed) if allowed else None

    def refusal(self, send: Send, state: EngineState) -> str:
        """Why none of a send may leave any more; empty while all of it may."""
        return next(filter(None, (self._refusal(send, op, state) for op in send.ops)), "")

    def _settle(self, sends: list[Send], token: Token, body: bytes, state: EngineState) -> None:
        for send in sends:
            if token.error is None:
                self._release(send, state)
            elif send.reserve and self._reserve.write(body):
                self._alarm("journal failed: a reduction was recorded in the reserve file and sent")
                self._release(send, state)
            elif send.reserve and state.fsm.state is FsmState.EMERGENCY:
                self._alarm("journal and reserve failed: a reduction was sent with a reserved id")
                self._release(_with_reserved_ids(send), state)
            else:
                for op in send.ops:
                    self._deny(op, OutboxReason.JOURNAL_FAILED)

    def _release(self, send: Send, state: EngineState) -> None:
        """Hand over to a task. Operations refused here are answered one by one; the rest leave together."""
        allowed = self._allowed(send, state)
        if allowed:
            self._launch(_only(send, allowed))

    def _allowed(self, send: Send, state: EngineState) -> tuple[WireOp, ...]:
        """The operations that the last hop lets through now; each other one is answered."""
        allowed: list[WireOp] = []
        for op in send.ops:
            reason = self._refusal(send, op, state)
            if reason:
                self._deny(op, reason)
            else:
                allowed.append(op)
        return tuple(allowed)

    def _refusal(self, send: Send, op: WireOp, state: EngineState) -> str:
        if op.kind is OpKind.DEADMAN:
            return "" if self._lease.check() else "lease"
        now_ns = self._clock.boot_ns()
        age_ms = (now_ns - send.decided_boot_ns) // 1_000_000
        if _too_late(op, age_ms):
            return f"{OutboxReason.LATE} decided {age_ms} ms ago, limit {LATEST_MS}"
        if (filled := _outrun(op, state)) is not None:
            return f"{OutboxReason.OUTRUN} amend to {op.lots} lots in all, of which {filled} are filled by now"
        request = Request(
            kind=op.kind,
            intent=op.intent,
            symbol=op.symbol,
            side=op.side,
            price_ticks=op.price_ticks,
            lots=op.lots,
            reduce_only=op.reduce_only,
            order_type=op.order_type,
            tif=op.tif,
            client_id=op.client_id,
            level=op.level,
            own_epoch=send.lease_epoch,
        )
        verdict = gates.last_hop(
            request,
            mode_ok=True,
            fingerprint_ok=state.health.fingerprint_ok,
            permission=self._permits(op.intent, state),
            state_epoch_now=state.fsm.epoch,
            state_epoch_decided=send.state_epoch,
            lease_held=self._lease.check(),
            lease_epoch_now=self._lease.epoch,
            lease_epoch_decided=send.lease_epoch,
            kill_latched=op.intent is Intent.INCREASE and self._latch.is_set(),
            age_ns=now_ns - send.decided_boot_ns,
            step_age_ns=now_ns - self.last_step_ns,
        )
        return "" if verdict is None else f"{verdict.gate} {verdict.detail}".strip()

    @staticmethod
    def _permits(intent: Intent, state: EngineState) -> bool:
        return PERMISSIONS[state.fsm.state].of(intent) is not Grant.NO

    def _deny(self, op: WireOp, reason: str) -> None:
        now = self._clock.wall_ms()
        self._put(
            WriteReply(
                op_id=op.op_id,
                outcome=WriteOutcome.DENIED,
                code=VenueCode.OTHER,
                number=0,
                detail=reason[:200],
                order=None,
                started_ms=now,
                ended_ms=now,
            )
        )


class _Unheard:
    """The token of a row whose commit nobody has heard of."""

    def __init__(self, seq: int, error: BaseException) -> None:
        self.seq, self.error = seq, error

    def done(self) -> bool:
        return True


def _too_late(op: WireOp, age_ms: int) -> bool:
    return op.kind in (OpKind.PLACE, OpKind.AMEND) and age_ms > LATEST_MS


def _outrun(op: WireOp, state: EngineState) -> int | None:
    """Lots filled since an amend was decided, when none of what it asks for is left: the venue would cancel for it."""
    symbol = state.symbols.get(op.symbol)
    order = symbol.orders.get(op.client_id) if symbol is not None and op.kind is OpKind.AMEND else None
    filled = 0 if order is None else max(order.filled_lots, order.reported_lots)
    return filled if filled and filled >= op.lots else None


def _only(send: Send, ops: tuple[WireOp, ...]) -> Send:
    return Send(
        kind=send.kind,
        symbol=send.symbol,
        ops=ops,
        durable=send.durable,
        reserve=send.reserve,
        decided_boot_ns=send.decided_boot_ns,
        state_epoch=send.state_epoch,
        lease_epoch=send.lease_epoch,
    )


def _with_reserved_ids(send: Send) -> Send:
    ops = tuple(
        WireOp(
            op_id=op.op_id,
            kind=op.kind,
            intent=op.intent,
            symbol=op.symbol,
            client_id=reserved(op.client_id) if op.kind is OpKind.PLACE else op.client_id,
            venue_id=op.venue_id,
            side=op.side,
            level=op.level,
            price_ticks=op.price_ticks,
            lots=op.lots,
            reduce_only=op.reduce_only,
            order_type=op.order_type,
            tif=op.tif,
            countdown_ms=op.countdown_ms,
        )
        for op in send.ops
    )
    return _only(send, ops)
