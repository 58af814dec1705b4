"""Canonical bytes of the whole engine state: a checkpoint's content, and what its digest speaks of."""

import msgspec

from gridops.errors import JournalError
from gridops.runtime.codec import encode
from gridops.runtime.state import EngineState

STATE_VERSION = 1

_DECODER = msgspec.json.Decoder(EngineState)


def encode_state(state: EngineState) -> bytes:
    """States that grew from equal inputs give equal bytes, also when one was restored on the way."""
    return encode(state)


def decode_state(body: bytes) -> EngineState:
    """JournalError when the checkpoint is not one this build can read."""
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise JournalError(
            f"checkpoint is not readable by this build: {error}",
            hint="use the build that wrote it, or replay from the start",
        ) from error
