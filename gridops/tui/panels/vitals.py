"""Panels of the machine: feed ages, rate budgets, write times, truth; and the tail of the log."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal

from textual.content import Content

from gridops.decide import budget
from gridops.domain.vocabulary import OpKind
from gridops.runtime.state import EngineState, SymbolState
from gridops.tui.figures import quantile
from gridops.tui.panels.scene import Scene, nothing
from gridops.tui.text import BAD, GOOD, MUTED, WARN, Drawn, Part, age, bar, clock, line

_BAR = 12
_FIRST = ("decision", "from_state", "kind", "level", "reason", "side", "to_state", "topic")


def vitals(scene: Scene) -> Drawn:
    """Ages of the feeds, what is used of each rate budget, how long writes take, when the truth was last compared."""
    state, symbol = scene.state, scene.symbol
    if state is None or symbol is None:
        return nothing(scene, "unknown: no data")
    lines = [
        _feeds(scene, state, symbol),
        _streams(scene, state),
        *_budgets(state),
        _latency(scene),
        _truth(scene, state),
        _process(scene, state),
    ]
    return Drawn(lines=tuple(lines[: scene.height]), age_ms=scene.journal_age_ms)


def _feeds(scene: Scene, state: EngineState, symbol: SymbolState) -> Content:
    view, rules = symbol.view, state.rules.health
    parts: list[Part] = [("feeds     ", MUTED)]
    for name, seen_ms, limit_ms in (
        ("book", view.book_seen_ms, rules.feed_stale_ms),
        ("trades", view.trade_seen_ms, 0),
        ("mark", view.mark_seen_ms, rules.mark_stale_ms),
    ):
        old_ms = scene.boot_age_ms(seen_ms)
        late = limit_ms and (old_ms is None or old_ms > limit_ms)
        parts += [f"{name} ", (age(old_ms), BAD if late else GOOD if limit_ms else MUTED), "  "]
    return line(*parts)


def _streams(scene: Scene, state: EngineState) -> Content:
    health = state.health
    user: Part = ("up", GOOD) if health.user_up else ("DOWN", BAD)
    market: Part = ("up", GOOD) if health.market_up else ("DOWN", BAD)
    return line(
        ("streams   ", MUTED), "user ", user, f" for {age(scene.boot_age_ms(health.user_since_ms))}", "  market ",
        market, (f"  clock {health.clock_offset_ms:+d} ms (error {health.clock_error_ms:+d})", MUTED),
    )  # fmt: skip


def _budgets(state: EngineState) -> list[Content]:
    rules, ledger = state.rules.budget, state.budget
    room = budget.room(ledger, rules, state.venue_ms)
    weight = rules.weight_1m - room.weight_reserve
    share = Decimal(weight) / rules.weight_1m
    used = Decimal(budget.used_pct(ledger, rules, state.venue_ms)) / 100
    blocked: Part = ("  BANNED", BAD) if room.banned else ("  held by Retry-After", WARN) if room.orders == 0 else ""
    return [
        line(("weight    ", MUTED), bar(share, _BAR), f" {weight} of {rules.weight_1m} a minute"),
        line(
            ("orders    ", MUTED), bar(used, _BAR), f" fullest budget {int(used * 100)} %, room for {room.orders}",
            (f" (+{room.orders_reserve - room.orders} reserve)", MUTED), blocked,
        ),
    ]  # fmt: skip


def _latency(scene: Scene) -> Content:
    parts: list[Part] = [("writes    ", MUTED)]
    for kind in OpKind:
        times = scene.model.history.latency_ms.get(kind)
        if times:
            parts += [f"{kind} ", f"{quantile(times, 500)}/{quantile(times, 990)} ms", "  "]
    if len(parts) == 1:
        return line(*parts, ("none answered in the rows looked at", MUTED))
    return line(*parts, ("(p50/p99)", MUTED))


def _truth(scene: Scene, state: EngineState) -> Content:
    sync = state.sync
    open_now = [known for known in sync.suspicions.values() if known.confirmed]
    verdict: Part = (f"{len(open_now)} mismatches: {open_now[0].kind}", BAD) if open_now else ("no mismatch", GOOD)
    return line(
        ("truth     ", MUTED), verdict, f"  full reconcile {age(scene.boot_age_ms(sync.reconciled_ms))} ago",
        (f"  failures {sync.failures}  under way {len(sync.asked)}", MUTED),
    )  # fmt: skip


def _process(scene: Scene, state: EngineState) -> Content:
    health = state.health
    armed = [memory.armed_sent_ms for memory in state.deadman.values() if memory.armed_sent_ms is not None]
    beat = f"beat {age(scene.boot_age_ms(min(armed)))} ago" if armed else "not armed"
    parts: list[Part] = [("process   ", MUTED), f"dead-man {beat}", f"  lag {health.loop_lag_ms} ms"]
    for ok, word in (
        (health.journal_ok, "journal"),
        (health.evidence_ok, "evidence"),
        (health.disk_ok, "disk"),
        (health.lease_held, "lease"),
    ):
        parts += ["  ", (word, GOOD) if ok else (f"{word} FAILED", BAD)]
    return line(*parts)


def log(lines: Iterable[str], wanted: str, height: int) -> tuple[Content, ...]:
    """The newest lines that hold `wanted` (any case), oldest at the top."""
    needle = wanted.lower()
    found = [text for text in lines if needle in text.lower()]
    return tuple(_log_line(text) for text in found[-height:])


def log_age_ms(lines: Sequence[str], now_ms: int) -> int | None:
    """Age of the newest line that tells its time; None without one."""
    for text in reversed(lines[-20:]):
        with suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return max(0, now_ms - int(json.loads(text)["at_ms"]))
    return None


def _log_line(text: str) -> Content:
    """Time, number and event first; what cannot be read stands as it is."""
    try:
        said = json.loads(text)
        at_ms, seq, event = said.pop("at_ms"), said.pop("seq"), said.pop("event")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return line((text, WARN))
    rest = " ".join(f"{name}={held}" for name, held in _fields(said))
    return line((f"{clock(at_ms)} {seq:>6} ", MUTED), (str(event), _event_style(said)), f" {rest}")


def _fields(said: dict[str, object]) -> list[tuple[str, object]]:
    """What says most first; nested records opened, empty fields left out."""
    opened: dict[str, object] = {}
    for name, held in said.items():
        opened.update(held if isinstance(held, dict) else {name: held})
    names = sorted(opened, key=lambda name: (name not in _FIRST, name.endswith("_id"), name))
    return [(name, opened[name]) for name in names if opened[name] not in ("", None, "none", 0, False)]


def _event_style(said: dict[str, object]) -> str:
    severity = said.get("severity")
    return BAD if severity == "critical" else WARN if severity == "warn" else "$text-accent"
