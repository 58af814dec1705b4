"""Rows of the result table, and the table as text."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gridops.domain.values import record

HEADS = ("Row", "What", "Here", "Scaled", "Against, in the same run", "Ratio", "Aim", "Published peer")
MACHINE = "-"
"""Row whose ratio says how much slower this machine is than the one the aims in microseconds were set on."""


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
    took_ns: float = 0
    """CPU time per operation where `here` shows one: what `Scaled` divides by the machine's factor."""
    aim_ns: float = 0
    factor: float = 0
    """How much slower this machine was among the row's own rounds; 0 = as the machine's row says."""


def timed(row: str, what: str, took_ns: float, factor: float = 0) -> Result:
    """A part of a row: a CPU time without an aim of its own."""
    return Result(row=row, what=what, here=us(took_ns), took_ns=took_ns, factor=factor)


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
    factor = next((each.factor for each in results if each.row == MACHINE), 0.0)
    lines = [_line(HEADS), _line(["---"] * len(HEADS))]
    for each in results:
        aim = each.aim + _verdict(each.met)
        cells = (each.row, each.what, each.here, _scaled(each, factor), each.against, each.ratio, aim, each.peer)
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _scaled(each: Result, factor: float) -> str:
    """What the same would take where the aims were set, and whether that meets the aim."""
    if not each.took_ns or not (each.factor or factor):
        return ""
    scaled_ns = each.took_ns / (each.factor or factor)
    return us(scaled_ns) + _verdict(scaled_ns <= each.aim_ns if each.aim_ns else None)


def _verdict(met: bool | None) -> str:
    return {True: " (met)", False: " (missed)", None: ""}[met]


def document(results: Sequence[Result]) -> str:
    """The whole results page."""
    today = datetime.now(UTC).date().isoformat()
    return (
        "# Benchmark results\n\n"
        f"{today}, {machine()}. CPU time, medians, sides interleaved in one run; `python -m tests.bench --write`.\n"
        "The machine was shared while this was measured: CPU ratios hold, absolute times do not, "
        "and wall times (B6) least.\n"
        "Aims in microseconds were set on a faster machine; the first row says by how much. Scaled is Here divided by "
        "that factor, measured among the rounds of the row itself where it is B1 to B4.\n\n"
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
