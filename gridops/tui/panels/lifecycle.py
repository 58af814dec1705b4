"""Panels of the lifecycle: state, open levels, transitions, and what the gates refused."""

from collections.abc import Mapping
from typing import Any

from textual.content import Content

from gridops.domain.vocabulary import Gate
from gridops.tui.model import Lifecycle, Model
from gridops.tui.panels.scene import Scene, nothing
from gridops.tui.text import (
    BAD,
    GOOD,
    MUTED,
    WARN,
    Drawn,
    Part,
    age,
    clock,
    columns,
    line,
    since,
    state_style,
)
from gridops.usecases.liveness import Process

LOUD = "$text-error bold reverse"
UNSEEN_MS = 5_000
"""A look at the process older than this vouches for nothing."""


def banner(scene: Scene) -> Content:
    """The line that is always there: is the engine alive, what does it do, how old is all this."""
    model = scene.model
    word, style = process_word(model, scene.now_ms)
    parts: list[Part] = [(f" {model.account} ", "bold reverse"), " ", (word, style)]
    told = model.lifecycle()
    if told is not None:
        shown = told.shown
        parts += ["  ", (shown["state"], state_style(shown["state"])), f" {age(in_state_ms(told, scene))}"]
    # How old all this is stands before what may be cut on a narrow terminal.
    old_ms = scene.journal_age_ms
    parts.append(("  no data yet", WARN) if old_ms is None else (f"  data {age(old_ms)} old", _age_style(old_ms)))
    if told is not None:
        parts.append((f"  {scene.symbol_name}  input {told.shown['seq']}", MUTED))
    if model.reading:
        parts.append((f"  {model.reading}", WARN))
    if model.fold_error:
        parts.append((f"  figures stand at an older row: {model.fold_error}", BAD))
    return line(*parts)


def process_word(model: Model, now_ms: int) -> tuple[str, str]:
    """One word for the engine's process, and its style. A look that is old vouches for nothing."""
    pulse = model.pulse
    if pulse is None:
        return "looking for the engine", MUTED
    if now_ms - model.pulse_ms > UNSEEN_MS:
        return f"NOT LOOKED AT for {age(now_ms - model.pulse_ms)}", BAD
    match pulse.process:
        case Process.LIVE:
            return f"live pid {pulse.pid}" if pulse.pid else "live", GOOD
        case Process.HUNG if not model.answer_ms:
            return f"NO ANSWER YET: {pulse.detail}", WARN
        case Process.HUNG:
            return f"HUNG: {pulse.detail}; `gridops kill --direct` acts without it", LOUD
        case Process.DEAD:
            how = f"ended: {model.outcome}" if model.outcome else "without an orderly end"
            return f"DEAD ({how})", LOUD
        case _:
            return f"never ran in {model.home}", WARN


def in_state_ms(told: Lifecycle, scene: Scene) -> int:
    """How long the state has stood; a dead engine's clock stands still."""
    behind = scene.now_ms - told.as_of_ms if scene.model.live else 0
    return int(told.shown["since_ms"]) + max(0, behind)


def state(scene: Scene) -> Drawn:
    """State, why, since when; who runs, and what an operator has asked for."""
    told = scene.model.lifecycle()
    if told is None:
        return nothing(scene, scene.model.reading or "no input has been journaled yet")
    shown, last = told.shown, told.shown["last"]
    began = told.as_of_ms - int(shown["since_ms"])
    name = shown["state"]
    lines = [
        line((name, state_style(name)), f" for {age(in_state_ms(told, scene))}, since {clock(began)}Z"),
        line(
            ("why   ", MUTED),
            f"{last['reason'] or 'start'}",
            (f"  {last['event'] or ''} from {last['from'] or '-'}", MUTED),
        ),
        line(("      ", MUTED), last["detail"] or "-"),
        _who(scene, shown),
        *_wishes(scene),
    ]
    return Drawn(lines=tuple(lines[: scene.height]), age_ms=since(told.as_of_ms, scene.now_ms))


def _who(scene: Scene, shown: Mapping[str, Any]) -> Content:
    state = scene.state
    parts: list[Part] = [("run   ", MUTED), f"{shown['run_id']} epoch {shown['epoch']}"]
    if state is not None:
        identity = state.identity
        parts += ["  ", ("armed", GOOD) if identity.armed else ("not armed", WARN)]
        parts += [
            "  ",
            ("LIVE MONEY", BAD) if identity.live else ("paper", MUTED),
            (f"  build {identity.build}", MUTED),
        ]
    return line(*parts)


def _wishes(scene: Scene) -> list[Content]:
    state = scene.state
    if state is None:
        return []
    wishes, said = state.wishes, []
    if wishes.killed:
        said.append(line(("kill latched ", BAD), f"by {wishes.kill_author or 'the latch file'}: {wishes.kill_reason}"))
    if wishes.paused:
        said.append(line(("operator's pause is held; r resumes", WARN)))
    if wishes.stop is not None:
        said.append(line((f"stopping: {wishes.stop} (mode {state.fsm.stop_mode})", WARN)))
    return said


def levels(scene: Scene) -> Drawn:
    """Open conditions, the longest first."""
    told = scene.model.lifecycle()
    if told is None:
        return nothing(scene, "unknown: no data")
    held = sorted(told.shown["levels"], key=lambda level: -int(level["held_ms"]))
    behind = max(0, scene.now_ms - told.as_of_ms) if scene.model.live else 0
    lines = [
        columns(
            [
                ((level["reason"], WARN), 22),
                (level["scope"], 8),
                (age(level["held_ms"] + behind), -9),
                (level["detail"], 0),
            ]
        )
        for level in held
    ] or [line(("none: nothing holds the engine back", GOOD))]
    return Drawn(lines=tuple(lines[: scene.height]), age_ms=since(told.as_of_ms, scene.now_ms))


def timeline(scene: Scene) -> Drawn:
    """Transitions, newest first."""
    moves = scene.model.history.transitions
    lines = [
        columns(
            [
                ((clock(entry.at_ms), MUTED), 8),
                (entry.said.from_state, 9),
                ("→", 1),
                ((entry.said.to_state, state_style(entry.said.to_state)), 9),
                (entry.said.reason, 18),
                ((entry.said.detail, MUTED), 0),
            ]
        )
        for entry in reversed(moves)
    ]
    if not lines:
        return nothing(scene, "no transition in the rows looked at")
    return Drawn(lines=tuple(lines[: scene.height]), age_ms=scene.journal_age_ms)


def gates(scene: Scene) -> Drawn:
    """The chain in its order with refusals counted since the screen's look-back, then the newest refusals."""
    history = scene.model.history
    if scene.state is None:
        return nothing(scene, "unknown: no data")
    lines = _chain(history.refused_by_gate, scene.width)
    newest = _refusals(scene)
    lines += [drawn for _, drawn in newest[: max(0, scene.height - len(lines))]]
    if not newest:
        lines.append(line(("no request was refused in the rows looked at", MUTED)))
    return Drawn(lines=tuple(lines[: scene.height]), age_ms=scene.journal_age_ms)


def _refusals(scene: Scene) -> list[tuple[int, Content]]:
    """(input number, line) of every refusal kept, newest first; those of the last hop among them."""
    history = scene.model.history
    found = [
        (e.seq, _refusal(e.at_ms, e.said.gate, e.said.intent, f"L{e.said.level:+d} {e.said.detail}"))
        for e in history.gate_refusals
    ]
    found += [
        (e.seq, _refusal(e.at_ms, "last hop", "", f"op {e.said.op_id} {e.said.reason}"))
        for e in history.outbox_refusals
    ]
    return sorted(found, key=lambda each: each[0], reverse=True)


def _refusal(at_ms: int, gate: str, intent: str, detail: str) -> Content:
    return columns([((clock(at_ms), MUTED), 8), ((gate, WARN), 13), (intent, 8), (detail, 0)])


def _chain(refused: Mapping[str, int], width: int) -> list[Content]:
    """Gate names, wrapped to the width; one that refused is marked and counted."""
    lines: list[Content] = []
    row: list[Part] = []
    used = 0
    for gate in Gate:
        count = refused.get(gate.value, 0)
        text = f"{gate}✗{count}" if count else gate.value
        if row and used + len(text) > width:
            lines.append(line(*row))
            row, used = [], 0
        row += [(text, BAD if count else MUTED), " "]
        used += len(text) + 1
    return [*lines, line(*row)]


def _age_style(ms: int) -> str:
    return MUTED if ms < 2_000 else WARN if ms < 10_000 else BAD
