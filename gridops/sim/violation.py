"""A broken invariant, and what becomes of it: the end of the run, or a line in a list.

Below every part of the judge. It judges nothing.
"""


class Violation(AssertionError):
    """An invariant broke."""

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant, self.detail = invariant, detail


class Verdicts:
    """Raises the first breach; while `collecting`, keeps each and lets the run go on."""

    def __init__(self) -> None:
        self.collecting = False
        self.found: list[Violation] = []

    def broken(self, invariant: str, detail: str) -> None:
        breach = Violation(invariant, detail)
        if not self.collecting:
            raise breach
        self.found.append(breach)
