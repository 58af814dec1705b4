"""What an operator is told waits for the disk, so that no crash takes back what was accepted.

Beside the outbox, which does the same for orders. It words nothing but the one warning: a disk that fails or hangs
holds no answer up for long, and then the operator is told that a restart may not know of the request.
"""

from collections.abc import Callable
from dataclasses import replace

from gridops.domain.effects import Answer
from gridops.runtime.ports import Clock
from gridops.runtime.ports_journal import Token

HEARD_WITHIN_MS = 1_500
"""An answer waits that long for word of its commit; whoever asked gives up after five seconds."""


class Answers:
    """Holds each answer until its row is durable, has failed, or has been waited for long enough."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[int, tuple[int, Answer]] = {}
        """Row -> when its answer was given, and the answer."""
        self.tell: Callable[[Answer], None] = lambda _: None

    def submit(self, answer: Answer, token: Token) -> None:
        """Take the answer that was given in the row of `token`."""
        self._waiting[token.seq] = (self._clock.boot_ns(), answer)
        if token.done():
            self.committed(token)

    def committed(self, token: Token) -> None:
        """A row's fate is known."""
        held = self._waiting.pop(token.seq, None)
        if held is not None:
            self.tell(held[1] if token.error is None else _doubtful(held[1], str(token.error)))

    def look(self) -> None:
        """Tell what has waited too long."""
        if not self._waiting:
            return
        limit_ns = self._clock.boot_ns() - HEARD_WITHIN_MS * 1_000_000
        for seq in [seq for seq, (given_ns, _) in self._waiting.items() if given_ns <= limit_ns]:
            self.tell(_doubtful(self._waiting.pop(seq)[1], f"no word of a commit for {HEARD_WITHIN_MS} ms"))

    @property
    def waiting(self) -> int:
        return len(self._waiting)


def _doubtful(answer: Answer, why: str) -> Answer:
    said = f"{answer.detail}; " if answer.detail else ""
    return replace(answer, detail=f"{said}not on the disk, a restart may not know of it: {why}"[:300])
