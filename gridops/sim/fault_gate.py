"""Names every fault that strikes, and lets only the wanted ones strike: what shrinking a schedule needs.

A name is a kind and how many of that kind were due before it, as in `crash#2` or `user.drop#17`. It draws nothing: the
chances are drawn as ever, so that leaving one fault out disturbs the others as little as it can.
"""

from collections import Counter


class FaultGate:
    """One run's faults. `only` None = all of them."""

    def __init__(self, only: frozenset[str] | None = None) -> None:
        self._only = only
        self._due: Counter[str] = Counter()
        self.struck: list[str] = []

    def take(self, kind: str) -> bool:
        """A fault of this kind is due; does it strike?"""
        self._due[kind] += 1
        name = f"{kind}#{self._due[kind]}"
        if self._only is not None and name not in self._only:
            return False
        self.struck.append(name)
        return True
