"""When a drill's steps are due: at a time, after a delay, or on a cue, one after the other.

Looks at cues every few virtual milliseconds. Cues may ask the engine's memory, for they only set the stage; a verdict
never does. It carries nothing out itself.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_spec import Cue, Drill, Step, draw, drawn
from gridops.sim.scheduler import MS

LOOK_NS = 10 * MS


class Script:
    """Walks the steps of one run."""

    def __init__(self, drill: Drill, day: DrillDay, said: Callable[[str], None] = lambda _: None) -> None:
        self._steps, self._day, self._said = drill.steps, day, said
        self._chance = Random(f"{day.seed}|drill")
        self.done: dict[str, int] = {}
        """Step name -> ms since the first start."""
        self.stuck = ""
        """Why the script did not go on; empty while it does."""

    def begin(self) -> None:
        """Arm the first step. Call it when the engine starts."""
        self._arm(0)

    @property
    def complete(self) -> bool:
        return len(self.done) == len(self._steps)

    def next_step(self) -> str:
        """Name of the first step that was not done."""
        return next((step.name for step in self._steps if step.name not in self.done), "")

    def _arm(self, place: int) -> None:
        if place == len(self._steps):
            return
        step = self._steps[place]
        plus_ms = _int(draw(step.plus_ms, self._chance))
        if step.at_ms is not None:
            wait_ms = max(0, _int(draw(step.at_ms, self._chance)) - self._day.now_ms())
            self._after(wait_ms, place)
        elif step.after is None:
            self._after(plus_ms, place)
        else:
            self._look(place, step.after, plus_ms, self._day.now_ms() + step.within_ms)

    def _after(self, wait_ms: int, place: int) -> None:
        self._day.scheduler.after(wait_ms * MS, lambda: self._carry_out(place))

    def _look(self, place: int, cue: Cue, plus_ms: int, until_ms: int) -> None:
        if self._true(cue):
            self._after(plus_ms, place)
        elif self._day.now_ms() >= until_ms:
            step = self._steps[place]
            self.stuck = f"{step.name} waited {step.within_ms / 1_000:g} s for: {_words(cue)}"
        else:
            self._day.scheduler.after(LOOK_NS, lambda: self._look(place, cue, plus_ms, until_ms))

    def _carry_out(self, place: int) -> None:
        step = self._steps[place]
        args = drawn(step.args, self._chance)
        self.done[step.name] = self._day.now_ms()
        self._said(f"{self._day.now_ms() / 1_000:9.3f} s  {_told(step, args)}")
        self._day.do(step.do, args, step.name)
        self._arm(place + 1)

    def _true(self, cue: Cue) -> bool:
        day = self._day
        match cue.kind:
            case "flat":
                return day.judge.position == 0
            case "holding":
                return day.judge.position != 0
            case "resting":
                return day.judge.risk_rests()
            case "quoted":
                return bool(day.tape.raised)
            case "ended":
                return day.process is not None and day.process.finished is not None
        state = day.state()
        if state is None:
            return False
        if cue.kind == "state":
            return state.fsm.state.value == cue.value
        held = any(level.reason.value == cue.value for level in state.levels.values())
        return held is (cue.edge == "opens")


def _int(held: object) -> int:
    assert isinstance(held, int)
    return held


def _words(cue: Cue) -> str:
    return " ".join(part for part in (cue.kind, cue.value, cue.edge) if part)


def _told(step: Step, args: dict[str, Any]) -> str:
    shown = ", ".join(f"{name} {held}" for name, held in args.items() if held not in ("", {}))
    return f"{step.name}: {step.do}{' ' + shown if shown else ''}"
