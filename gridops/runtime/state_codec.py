"""Canonical bytes of the whole engine state: a checkpoint's content, and what its digest speaks of."""

from typing import Any

import msgspec

from gridops.errors import JournalError
from gridops.runtime.codec import encode
from gridops.runtime.integers import Integers
from gridops.runtime.state import EngineState


def _typed(kind: type[Any], held: Any) -> Any:
    if kind is not Integers:
        raise NotImplementedError(kind.__name__)
    if isinstance(held, dict):
        # Trade ids were a map to their times once, in the order they were booked in.
        return Integers(sorted(map(int, held)))
    return Integers(msgspec.convert(held, list[int]))


_DECODER = msgspec.json.Decoder(EngineState, dec_hook=_typed)


def encode_state(state: EngineState) -> bytes:
    """States that grew from equal inputs give equal bytes, also when one was restored on the way."""
    return encode(state)


def decode_state(body: bytes) -> EngineState:
    """JournalError when the checkpoint is not one this build can read."""
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, OverflowError) as error:
        raise JournalError(
            f"checkpoint is not readable by this build: {error}",
            hint="use the build that wrote it, or replay from the start",
        ) from error
