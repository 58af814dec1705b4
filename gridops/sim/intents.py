"""What the journal has made durable, as the judge reads it: intents of places and amends, and booked fills.

Fed by every row the disk keeps. It trusts bytes on the disk only, never the engine's memory.
"""

from gridops.domain.effects import Send
from gridops.domain.vocabulary import OpKind
from gridops.runtime import codec
from gridops.runtime.ports_journal import JournalRow


class Intents:
    """Durable intents and fills of one account."""

    def __init__(self) -> None:
        self.placed: set[str] = set()
        self.amended: set[tuple[str, int, int]] = set()
        """(client id, price ticks, total lots)."""
        self.newest: dict[str, tuple[int, int]] = {}
        """Client id -> price ticks and total lots of the newest amend."""
        self.fills: dict[tuple[str, int], int] = {}
        """(symbol, trade id) -> lots."""
        self.filled: dict[str, int] = {}
        """Client id -> lots booked."""
        self.double_fills: list[tuple[str, int]] = []

    def read(self, row: JournalRow) -> None:
        """Take one row that reached the disk."""
        for fill in row.fills:
            key = (fill.symbol, fill.trade_id)
            if key in self.fills:
                self.double_fills.append(key)
            self.fills[key] = fill.lots
            self.filled[fill.client_id] = self.filled.get(fill.client_id, 0) + fill.lots
        if row.durable:
            self.read_effects(row.body)

    def read_effects(self, body: bytes) -> None:
        """Take the intents of one row that is on the disk: in the journal, or in the reserve file beside it."""
        for effect in codec.effects_of(codec.decode_row(body)):
            if isinstance(effect, Send):
                self._send(effect)

    def _send(self, send: Send) -> None:
        for op in send.ops:
            if op.kind is OpKind.PLACE:
                self.placed.add(op.client_id)
            elif op.kind is OpKind.AMEND:
                self.amended.add((op.client_id, op.price_ticks, op.lots))
                self.newest[op.client_id] = (op.price_ticks, op.lots)
