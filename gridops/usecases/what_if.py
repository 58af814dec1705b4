"""What a changed setting would have decided, held against what the setting in force decides at the same moments.

Looks on while a journal is re-run. At every moment that led to a decision, and once in a while between, two copies of
the state before it plan anew: one as it was, one with the setting changed. The history stays the real one: a changed
decision is compared, never carried out, so later moments do not build on it. Both copies are told to plan, whatever
they would have waited for, and a decision counts when it is another one than the level's last.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from gridops.config import Settings, load
from gridops.decide.grid import GridState
from gridops.domain.events import Boot, Event, Header
from gridops.domain.plan import Choice
from gridops.domain.records import Decided, Record, Sent
from gridops.domain.rules import Rules
from gridops.domain.values import record
from gridops.errors import ConfigError
from gridops.runtime import codec
from gridops.runtime.engine import Engine
from gridops.runtime.ports_journal import InputRow
from gridops.runtime.state import EngineState
from gridops.runtime.state_codec import decode_state, encode_state
from gridops.runtime.step import Step, step

BETWEEN_MS = 1_000
_Level = tuple[str, int, str]
"""Symbol, level, working order: one decision of a plan."""
_Said = tuple[str, str, int, int]
Path = tuple[str, ...]
Change = tuple[Path, Any]
"""Where in the rules, and what stands there."""


@record
class Difference:
    """The first moment at which the two decide differently about a level. Empty text: says nothing there."""

    seq: int
    at_ms: int
    symbol: str
    level: int
    before: str
    after: str


@record
class WhatIf:
    """Decisions by `decision/reason` as they were and as they would have been."""

    setting: str
    moments: int
    """Times both planned."""
    differing: int
    """Of these, how many had at least one other decision."""
    before: Mapping[str, int]
    after: Mapping[str, int]
    first: Difference | None


@dataclass(slots=True)
class _Series:
    """One side's decisions over time."""

    counts: dict[str, int] = field(default_factory=dict)
    last: dict[_Level, _Said] = field(default_factory=dict)

    def take(self, choices: list[Choice]) -> dict[_Level, _Said]:
        """Count what is new; the decisions of this moment."""
        now: dict[_Level, _Said] = {}
        for choice in choices:
            level = (choice.symbol, choice.level, choice.client_id)
            now[level] = (str(choice.decision), str(choice.reason), choice.to_ticks, choice.to_lots)
            if self.last.get(level, ("", ""))[:2] != now[level][:2]:
                name = f"{choice.decision}/{choice.reason}"
                self.counts[name] = self.counts.get(name, 0) + 1
        self.last = now
        return now


class Comparison:
    """Holds one setting against the one in force. ConfigError when it is unknown, refused, or decides nothing."""

    def __init__(self, assignments: list[str]) -> None:
        self.setting = ", ".join(assignments)
        self._changes = changes(assignments)
        self._was, self._would = _Series(), _Series()
        self._moments = self._differing = self._looked_ms = 0
        self._first: Difference | None = None

    def before(self, engine: Engine, row: InputRow, header: Header, event: Event) -> None:
        """Plan twice on copies, where the journal says this row decided something or enough time has passed."""
        if isinstance(event, Boot) or not engine.state.booted:
            return
        due = header.venue_ms - self._looked_ms >= BETWEEN_MS
        if not due and not any(isinstance(said, Decided | Sent) for said in _records(row)):
            return
        self._looked_ms = header.venue_ms
        body = encode_state(engine.state)
        anew = any(path[0] in ("grid", "risk") for path, _ in self._changes)
        was = _choices(decode_state(body), header, event, (), anew)
        would = _choices(decode_state(body), header, event, self._changes, anew)
        if was or would:
            self._compare(header, was, would)

    def after(self, engine: Engine, header: Header, done: Step) -> None:
        """What really came of it is in the journal already."""

    def files(self) -> Mapping[str, bytes]:
        """The comparison as one document."""
        found = self.result()
        body = {each.name: getattr(found, each.name) for each in fields(found)}
        return {"what_if.json": json.dumps(body, default=_jsonable, indent=2).encode()}

    def result(self) -> WhatIf:
        return WhatIf(
            setting=self.setting,
            moments=self._moments,
            differing=self._differing,
            before=dict(sorted(self._was.counts.items())),
            after=dict(sorted(self._would.counts.items())),
            first=self._first,
        )

    def _compare(self, header: Header, was: list[Choice], would: list[Choice]) -> None:
        self._moments += 1
        one, other = self._was.take(was), self._would.take(would)
        if one == other:
            return
        self._differing += 1
        if self._first is None:
            level = min(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
            self._first = Difference(
                seq=header.seq,
                at_ms=header.venue_ms,
                symbol=level[0],
                level=level[1],
                before=_text(one.get(level)),
                after=_text(other.get(level)),
            )


def changes(assignments: list[str]) -> tuple[Change, ...]:
    """`key=value` settings as the rules they set. The rest of the rules stays what the journal says."""
    found: list[tuple[Path, Any]] = []
    for text in assignments:
        key, separator, value = text.partition("=")
        if not separator or not value:
            raise ConfigError(f"--set {text!r} sets nothing", hint="write it as grid.spacing_bps=3")
        settings = _settings(key.strip(), value.strip())
        paths = rule_paths(key.strip(), settings)
        if not paths:
            raise ConfigError(f"{key} decides nothing", hint="grid, risk, health and operations hold what decides")
        rules = settings.rules()
        found += [(path, value_at(rules, path)) for path in paths]
    return tuple(found)


def changed(rules: Rules, found: tuple[Change, ...]) -> Rules:
    """The rules with these values in them."""
    for path, held in found:
        rules = _with(rules, path, held)
    return rules


def _settings(key: str, value: Any) -> Settings:
    if key in ("grid.symbols", "account.name"):
        raise ConfigError(f"{key} cannot be changed after the fact", hint="the journal has inputs of its symbols only")
    return load(file=None, environment={}, options={key: value}).settings


def rule_paths(key: str, settings: Settings) -> list[Path]:
    """Which rules this setting sets: those that differ between its value and another value it may have."""
    section, _, name = key.partition(".")
    held = getattr(getattr(settings, section), name)
    for other in (getattr(getattr(Settings(), section), name), *_others(held)):
        if other == held:
            continue
        try:
            rules = _settings(key, other).rules()
        except ConfigError:
            continue
        found = list(differing(settings.rules(), rules))
        if found:
            return found
    return []


def _others(held: Any) -> Iterator[Any]:
    if isinstance(held, bool):
        yield not held
    elif isinstance(held, int | Decimal):
        try:
            yield from (held + 1, held * 2, held - 1, type(held)(held / 2))
        except InvalidOperation:
            return
    else:
        yield from ("cancel", "leave", "flatten", "cancel_only")


def differing(one: Any, other: Any, path: Path = ()) -> Iterator[Path]:
    """Where two sets of rules differ."""
    for each in fields(one):
        left, right = getattr(one, each.name), getattr(other, each.name)
        if is_dataclass(left):
            yield from differing(left, right, (*path, each.name))
        elif left != right:
            yield (*path, each.name)


def value_at(held: Any, path: Path) -> Any:
    """What stands there."""
    for name in path:
        held = getattr(held, name)
    return held


def _with(held: Any, path: Path, value: Any) -> Any:
    inner = value if len(path) == 1 else _with(getattr(held, path[0]), path[1:], value)
    return replace(held, **{path[0]: inner})


def _records(row: InputRow) -> Iterator[Record]:
    return iter(codec.records_of(codec.decode_row(row.body)))


def _choices(state: EngineState, header: Header, event: Event, found: tuple[Change, ...], anew: bool) -> list[Choice]:
    """What a copy of the state decides at this input, every level said.

    Size and spacing are remembered between plans and change with delay: where the setting bears on them (`anew`), both
    copies choose them now, or the difference would be one of timing.
    """
    state.rules = changed(state.rules, found)
    for symbol in state.symbols.values():
        symbol.last_choice.clear()
        symbol.dirty = True
        if anew:
            symbol.rung_lots, symbol.grid = 0, GridState()
    return [said.choice for said in step(state, header, event).records if isinstance(said, Decided)]


def _text(said: _Said | None) -> str:
    return "" if said is None else f"{said[0]} {said[1]} to {said[3]} lots at {said[2]} ticks"


def _jsonable(held: Any) -> Any:
    return {each.name: getattr(held, each.name) for each in fields(held)}
