"""What the core hands to a transport: one stream name and one bare payload. It knows no socket and no listen key."""

from dataclasses import dataclass
from typing import Any

from gridops.domain.values import value


@value
class StreamEvent:
    """`private:<account id>` or a public stream such as `btcusdt@depth@0ms`; payload is the bare event."""

    stream: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Switches for behaviour that differs between venue releases.

    older_conditionals lets stop orders in on the order route, as before they had their own. public_streams
    or depth_streams off saves their cost where nobody listens.
    """

    slim_replies: bool = True
    trade_lite: bool = True
    public_streams: bool = True
    depth_streams: bool = True
    older_conditionals: bool = False
