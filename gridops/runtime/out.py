"""What one step says and wants, collected in order while it runs."""

from gridops.domain.effects import Effect, Send, WriteBundle
from gridops.domain.events import Header
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus, bundle_name
from gridops.domain.orders import Fill, Order
from gridops.domain.records import Note, OrderMoved, Record
from gridops.domain.vocabulary import OrderState, Severity

BUNDLE_LOOKBACK = 200
"""Journal rows before the cause that a bundle takes along."""


class Out:
    """Records and effects of one step. `touched` are orders whose journal projection changed."""

    __slots__ = ("_run_id", "bundles", "effects", "expected", "fills", "header", "records", "touched")

    def __init__(self, header: Header, run_id: str) -> None:
        self.header = header
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        self.touched: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.bundles = 0
        self.expected = False
        """The input said no more than was waited for: no fact of health moved, and no plan has a reason to change."""
        self._run_id = run_id

    def say(self, record: Record) -> None:
        self.records.append(record)

    def do(self, effect: Effect) -> None:
        self.effects.append(effect)

    @property
    def durable(self) -> bool:
        """Does a place or an amend leave with this step?"""
        return bool(self.effects) and any(isinstance(effect, Send) and effect.durable for effect in self.effects)

    def note(self, topic: str, severity: Severity, detail: str) -> None:
        self.records.append(Note(topic=topic, severity=severity, detail=detail))

    def moved(self, order: Order, to_state: OrderState, detail: str = "") -> None:
        """Change an order's state and say so. Terminal is terminal: a closed order never reopens."""
        self.touched[order.client_id] = order
        if order.state is to_state:
            return
        self.records.append(
            OrderMoved(
                client_id=order.client_id,
                symbol=order.symbol,
                level=order.level,
                from_state=order.state,
                to_state=to_state,
                filled_lots=order.filled_lots,
                detail=detail,
            )
        )
        order.state = to_state

    def bundle(self, mode: EvidenceMode, status: EvidenceStatus, reason: str, title: str, **facts: str) -> str:
        """Order an evidence bundle; the folder's name is known at once, for the record to carry."""
        header = self.header
        name = bundle_name(mode, at_ms=header.wall_ms, run8=self._run_id[:8], seq=header.seq * 10 + self.bundles)
        self.bundles += 1
        self.effects.append(
            WriteBundle(
                mode=mode.value,
                status=status.value,
                reason=reason,
                name=name,
                at_ms=header.wall_ms,
                seq=header.seq,
                title=title,
                facts=tuple(sorted(facts.items())),
                from_seq=max(0, header.seq - BUNDLE_LOOKBACK),
            )
        )
        return name
