"""The sockets-free venue: one clock, one book per symbol, the accounts and the calls on them.

Sits under the server, which does signatures, headers, limits and framing. It refuses to read a clock, open a socket or
draw a random number: time and market arrive as arguments, so equal calls give equal bytes.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gridops.venue.errors import VenueError
from gridops.venue.events import Fidelity, StreamEvent
from gridops.venue.market.events import MarketEvent, SymbolSpec

__all__ = ["Fidelity", "StreamEvent", "VenueCore", "VenueError"]


class VenueCore:
    """Semantics and JSON bodies of the venue."""

    now_ms: int

    def __init__(
        self, *, symbols: tuple[SymbolSpec, ...], start_ms: int, seed: int, fidelity: Fidelity = Fidelity()
    ) -> None:
        self.now_ms = start_ms

    def add_account(self, account_id: str, *, api_key: str, api_secret: str, wallet: dict[str, Decimal]) -> None:
        """Open an account; a known id keeps its state."""
        raise NotImplementedError

    def apply(self, event: MarketEvent) -> None:
        """Fold one market event, its at_ms already on the venue clock."""
        raise NotImplementedError

    def advance(self, now_ms: int) -> None:
        """Move the clock and do what fell due."""
        raise NotImplementedError

    def next_deadline_ms(self) -> int | None:
        """Earliest clock-driven deadline."""
        raise NotImplementedError

    def call(self, account_id: str | None, method: str, path: str, params: Mapping[str, Any], now_ms: int) -> Any:
        """Answer one /fapi call with its JSON body; raises VenueError."""
        raise NotImplementedError

    def drain(self) -> list[StreamEvent]:
        """Events since the last drain, in venue order."""
        raise NotImplementedError

    def truth(self) -> dict[str, Any]:
        """The oracle: accounts, orders, fills, income, book top, invariant violations."""
        raise NotImplementedError

    def dump(self) -> bytes:
        """The whole state, deterministic."""
        raise NotImplementedError

    @classmethod
    def load(cls, data: bytes) -> "VenueCore":
        """The venue as it was dumped."""
        raise NotImplementedError
