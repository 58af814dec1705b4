"""The lifecycle as an operator sees it, from a state: live over the socket, or decoded from a checkpoint."""

from typing import Any

from gridops.runtime.state import EngineState


def snapshot(state: EngineState) -> dict[str, Any]:
    """State, why, since when, and every open level with its age; times relative to the newest input."""
    memory = state.fsm
    return {
        "account": state.identity.account,
        "run_id": state.identity.run_id,
        "epoch": state.identity.epoch,
        "seq": state.seq,
        "wall_ms": state.wall_ms,
        "state": memory.state.value,
        "state_epoch": memory.epoch,
        "since_ms": state.now_ms - memory.since_ms,
        "last": {
            "from": memory.last_from.value if memory.last_from else None,
            "event": memory.last_event.value if memory.last_event else None,
            "reason": memory.last_reason.value if memory.last_reason else None,
            "detail": memory.last_detail,
        },
        "levels": [
            {
                "reason": level.reason.value,
                "scope": level.scope,
                "held_ms": state.now_ms - level.since_ms,
                "detail": level.detail,
            }
            for _, level in sorted(state.levels.items())
        ],
    }
