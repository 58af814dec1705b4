"""Words and cells of the screen: ages, clocks, amounts, aligned columns. Plain text in, styled lines out.

Whatever came from outside is stripped of control characters and of every secret this process has met, here; nothing
is read as markup.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from textual.content import Content

from gridops.adapters.redaction import SHORTEST, every_known, plain
from gridops.domain.values import record
from gridops.domain.vocabulary import FsmState

GOOD, WARN, BAD, MUTED, STRONG = "$text-success", "$text-warning", "$text-error", "$foreground 60%", "bold"
Part = str | tuple[str, str]

_STATE_STYLES: dict[str, str] = {
    FsmState.ACTIVE: "$text-success bold",
    FsmState.READY: "$text-primary bold",
    FsmState.INIT: "$text-primary bold",
    FsmState.THROTTLED: "$text-warning bold",
    FsmState.PAUSED: "$text-warning bold",
    FsmState.DEGRADED: "$text-error bold",
    FsmState.EMERGENCY: "$text-error bold reverse",
    FsmState.STOPPING: "$text-warning bold",
}


@record
class Drawn:
    """A panel's content. `age_ms` is how old the newest fact behind it is; None = there is none yet."""

    lines: tuple[Content, ...]
    age_ms: int | None


def safe(text: str, *, keep: str = "") -> str:
    """What may stand on the screen. Secrets go first: a cut or an escape would hide one from who looks for it."""
    return plain(every_known().redact(text) if len(text) >= SHORTEST else text, keep=keep)


def line(*parts: Part) -> Content:
    """One line of strings and (text, style) pairs."""
    return Content.assemble(*(safe(p) if isinstance(p, str) else (safe(p[0]), p[1]) for p in parts))


def columns(cells: Sequence[tuple[Part, int]]) -> Content:
    """Cells of a row: width > 0 aligns left, < 0 right, 0 takes what is left. Too long is cut."""
    parts: list[Part] = []
    for part, width in cells:
        text, style = part if isinstance(part, tuple) else (part, "")
        text = safe(text)
        if width:
            size = abs(width)
            text = text if len(text) <= size else text[: size - 1] + "…"
            text = text.ljust(size) if width > 0 else text.rjust(size)
        parts.append((text, style) if style else text)
        parts.append(" ")
    return Content.assemble(*parts[:-1])


def state_style(state: str) -> str:
    return _STATE_STYLES.get(state, STRONG)


def age(ms: int | None) -> str:
    """`0.2 s`, `12 s`, `3 min`, `2 h 5 min`, `never`."""
    if ms is None:
        return "never"
    if ms < 10_000:
        return f"{max(0, ms) // 100 / 10:.1f} s"
    seconds = ms // 1_000
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7_200:
        return f"{seconds // 60} min"
    return f"{seconds // 3_600} h {seconds % 3_600 // 60} min"


def since(at_ms: int, now_ms: int) -> int | None:
    """Age of a moment; None when it never was."""
    return max(0, now_ms - at_ms) if at_ms else None


def clock(at_ms: int) -> str:
    """UTC time of day."""
    return datetime.fromtimestamp(at_ms // 1_000, UTC).strftime("%H:%M:%S")


def amount(value: Decimal | None, places: int = 2) -> str:
    """With thousands separators; unknown is said."""
    return "unknown" if value is None else f"{value:,.{places}f}"


def signed(value: Decimal | None, places: int = 2) -> str:
    return "unknown" if value is None else f"{value:+,.{places}f}"


def gain_style(value: Decimal | None) -> str:
    if value is None or value == 0:
        return ""
    return GOOD if value > 0 else BAD


def share_style(share: Decimal) -> str:
    """Of a limit: quiet below 70 %, loud from 90 %."""
    return BAD if share >= Decimal("0.9") else WARN if share >= Decimal("0.7") else GOOD


def bar(share: Decimal, width: int) -> Part:
    """A filled part of `width` cells."""
    full = max(0, min(width, int(share * width + Decimal("0.5"))))
    return "█" * full + "░" * (width - full), share_style(share)
