"""Operator requests of the control socket become inputs; the engine's Answer becomes the reply."""

import asyncio
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from gridops.domain.effects import Answer
from gridops.domain.events import Event, OperatorInput
from gridops.domain.market import Signal
from gridops.domain.vocabulary import OperatorCommand, StopMode
from gridops.runtime.state import EngineState
from gridops.usecases.snapshot import snapshot

ANSWER_WITHIN_S = 5.0
SYNC_WITHIN_S = 12.0
"""A look at both sides waits for its reads."""


class Control:
    """Waits for each request's answer by its id."""

    def __init__(
        self,
        put: Callable[[Event], None],
        state: Callable[[], EngineState],
        *,
        metrics_port: int,
        evidence_root: str,
    ) -> None:
        self._put, self._state = put, state
        self._metrics_port, self._evidence_root = metrics_port, evidence_root
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._number = 0

    async def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """One checked request. `status` is a look, every other command an input of the journal."""
        command = OperatorCommand(request["command"])
        if command is OperatorCommand.STATUS:
            shown = snapshot(self._state())
            return {
                "accepted": True,
                "state": shown["state"],
                "detail": "",
                "snapshot": shown,
                "metrics_port": self._metrics_port,
            }
        self._number += 1
        request_id = f"op-{self._number}"
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        mode = request.get("stop_mode")
        self._put(
            OperatorInput(
                command=command,
                request_id=request_id,
                author=str(request.get("author", ""))[:120],
                reason=str(request.get("reason", ""))[:500],
                accept_position=bool(request.get("accept_position", False)),
                stop_mode=StopMode(mode) if mode else None,
                signal=_signal(request.get("signal"), str(request.get("author", ""))),
                digest=str(request.get("digest") or "")[:64],
            )
        )
        try:
            within_s = SYNC_WITHIN_S if command is OperatorCommand.SYNC else ANSWER_WITHIN_S
            answer = await asyncio.wait_for(future, within_s)
        finally:
            self._waiting.pop(request_id, None)
        return {
            "accepted": answer.accepted,
            "state": answer.state,
            "detail": answer.detail,
            "bundle": answer.bundle,
            "evidence_root": self._evidence_root,
            **({"document": answer.document} if answer.document else {}),
        }

    def answered(self, answer: Answer) -> None:
        future = self._waiting.get(answer.request_id)
        if future is not None and not future.done():
            future.set_result(answer)


def _signal(said: dict[str, Any] | None, author: str) -> Signal | None:
    """A request's signal; the engine stamps it when it takes it in."""
    if said is None:
        return None
    source = f"operator {author}"[:80]
    return Signal(
        name=str(said["name"]),
        scaled=int(said["scaled"]),
        as_of_ms=0,
        ttl_ms=int(said["ttl_ms"]),
        source=source,
        digest=sha256(json.dumps([source, said], sort_keys=True).encode()).hexdigest(),
    )
