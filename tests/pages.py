"""What the kernel says of a process's pages."""

import platform
from pathlib import Path

KERNEL = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
POPULATES = KERNEL >= (5, 14)
"""MADV_POPULATE_WRITE is known."""


def missing_kb(pid: int) -> list[tuple[int, int]]:
    """(size, what of it is not there yet) of each range that the process alone writes to."""
    found, size, ours = [], 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        word, _, rest = line.partition(" ")
        if not word.endswith(":"):
            ours = rest.startswith("rw-p")
        elif word == "Size:":
            size = int(rest.split()[0])
        elif word == "Rss:" and ours:
            found.append((size, size - int(rest.split()[0])))
    return found
