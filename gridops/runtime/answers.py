"""What an operator is told waits for the disk, so that no crash takes back what was accepted.

Beside the outbox, which does the same for orders. It words nothing but the one warning: a disk that fails or hangs
holds no answer up for long, and then the operator is told that a restart may not know of the request.
"""

from collections.abc import Callable
from dataclasses import replace

from gridops.domain.effects import Answer
from gridops.runtime.outbox import SILENT_MS
from gridops.runtime.ports import Clock
from gridops.runtime.ports_journal import Token


class Answers:
    """Holds each answer until its row is durable, has failed, or has been waited for long enough."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[int, tuple[int, list[Answer]]] = {}
        """Row -> when its answers were given, and the answers: one read may end several requests."""
        self.tell: Callable[[Answer], None] = lambda _: None

    def submit(self, answer: Answer, token: Token) -> None:
        """Take the answer that was given in the row of `token`."""
        self._waiting.setdefault(token.seq, (self._clock.boot_ns(), []))[1].append(answer)
        if token.done():
            self.committed(token)

    def committed(self, token: Token) -> None:
        """A row's fate is known."""
        self._tell(token.seq, None if token.error is None else str(token.error) or type(token.error).__name__)

    def disk_silent(self) -> None:
        """Tell what has waited as long as the outbox waits; whoever asked gives up after five seconds."""
        limit_ns = self._clock.boot_ns() - SILENT_MS * 1_000_000
        for seq in [seq for seq, (given_ns, _) in self._waiting.items() if given_ns <= limit_ns]:
            self._tell(seq, f"no word of a commit for {SILENT_MS} ms")

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def _tell(self, seq: int, doubt: str | None) -> None:
        _, answers = self._waiting.pop(seq, (0, []))
        for answer in answers:
            self.tell(answer if doubt is None else _doubtful(answer, doubt))


def _doubtful(answer: Answer, why: str) -> Answer:
    said = f"{answer.detail}; " if answer.detail else ""
    return replace(answer, detail=f"{said}not on the disk, a restart may not know of it: {why}"[:300])
