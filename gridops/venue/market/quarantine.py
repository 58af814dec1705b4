"""What was dropped from a recording and why: counted in full, listed up to a limit, never silent.

Sits under the recorded source.
"""

from pathlib import Path

_LISTED = 100


class Quarantine:
    """Warnings in the order met. Rows put here are not traded on."""

    def __init__(self) -> None:
        self.dropped = 0
        self._listed: list[str] = []
        self._notes: list[str] = []

    def drop(self, path: Path, number: int, why: str) -> None:
        """Count a row that will not be served."""
        self.dropped += 1
        if len(self._listed) < _LISTED:
            self._listed.append(f"{path}:{number}: {why}; row dropped")

    def note(self, text: str) -> None:
        """Say something about the recording that drops nothing. Once per text."""
        if text not in self._notes:
            self._notes.append(text)

    def warnings(self) -> tuple[str, ...]:
        unlisted = self.dropped - len(self._listed)
        more = [f"{unlisted} more rows dropped"] if unlisted else []
        return (*self._notes, *self._listed, *more)
