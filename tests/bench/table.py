"""Rows of the result table, and the table as text."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gridops.domain.values import record

HEADS = ("Row", "What", "Here", "Against, in the same run", "Ratio", "Aim", "Published peer")


@record
class Result:
    """One line. `met` None: nothing to hold it against."""

    row: str
    what: str
    here: str
    against: str = ""
    ratio: str = ""
    aim: str = ""
    peer: str = ""
    met: bool | None = None


def us(nanoseconds: float) -> str:
    """Nanoseconds as microseconds or milliseconds, three figures."""
    if nanoseconds >= 1e6:
        return f"{nanoseconds / 1e6:.3g} ms"
    return f"{nanoseconds / 1e3:.3g} us"


def times(ratio: float) -> str:
    """A ratio with two figures behind the point."""
    return f"{ratio:.2f}x"


def machine() -> str:
    """CPU, cores and interpreter, without the machine's name."""
    cores = sum(1 for line in _cpuinfo() if line.startswith("processor"))
    return f"{_model()}, {cores} cores, Python {platform.python_version()}, {platform.system()}"


def render(results: Sequence[Result]) -> str:
    """A markdown table."""
    lines = [_line(HEADS), _line(["---"] * len(HEADS))]
    for each in results:
        verdict = {True: " (met)", False: " (missed)", None: ""}[each.met]
        lines.append(_line((each.row, each.what, each.here, each.against, each.ratio, each.aim + verdict, each.peer)))
    return "\n".join(lines) + "\n"


def document(results: Sequence[Result]) -> str:
    """The whole results page."""
    today = datetime.now(UTC).date().isoformat()
    return (
        "# Benchmark results\n\n"
        f"{today}, {machine()}. CPU time, medians, sides interleaved in one run; `python -m tests.bench --write`.\n"
        "The machine was shared while this was measured: CPU ratios hold, absolute times do not, "
        "and wall times (B6) least.\n"
        "Aims in microseconds were set on a faster machine; the first row says by how much.\n\n"
        f"{render(results)}"
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def _model() -> str:
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown CPU"
