"""How many generated cases a property gets: a third within a suite's minutes, all of them at night."""

import os

FULL = os.environ.get("SUITE_FULL") == "1"


def examples(full: int) -> int:
    """The count for this run, of the full one."""
    return full if FULL else max(20, full // 3)
