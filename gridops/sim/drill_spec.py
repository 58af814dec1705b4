"""A drill as data: a TOML file read into values, every key, verb and argument checked before anything runs.

Times are seconds since the engine's first start. Steps happen in the order in which they stand; each is due at a time,
after a delay, or on a cue. It parses and refuses; it runs nothing.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random

from gridops.config import load
from gridops.domain.rules import Rules
from gridops.domain.values import record, value
from gridops.domain.vocabulary import FsmReason, FsmState
from gridops.errors import ConfigError
from gridops.sim.drill_process_words import CATALOGUES
from gridops.sim.drill_words import Word, arguments
from gridops.toml_text import read_toml

TIERS = tuple(CATALOGUES)
SCRIPT = "script"
NEED_SCRIPT = frozenset({"price", "spread", "mark_price", "foreign_limit", "foreign_writer"})
"""Verbs that move the price, or need to know where it is told to stand."""
BASE_SETTINGS: Mapping[str, object] = {
    "grid.levels": 4,
    "grid.rung_notional": 400,
    "risk.symbol_cap": 3_000,
    "risk.account_cap": 3_000,
    "risk.max_order_notional": 1_000,
}
"""A small account with real caps; a drill's own settings stand above these."""
_TOP = (
    "name", "title", "shows", "runbook", "tier", "covers", "seeds", "run_s", "wallet", "market", "listed", "contract",
    "settings",
    "step", "expect",
)  # fmt: skip
_REQUIRED = ("name", "title", "shows", "runbook", "run_s", "step", "expect")
_STEP = ("name", "at_s", "after", "plus_s", "within_s", "do")
MOST_S = 7 * 86_400
SCENARIO_ID = r"F-\d{3}|X-\d{2}"


@value
class Cue:
    """Something that becomes true: `state X`, `level REASON opens|closes`, `flat`, `holding`, `resting`, `ended`; or

    `quoted`: an order that raises risk has left, wherever it is by now.
    """

    kind: str
    value: str = ""
    edge: str = ""


_VIRTUAL_CUES = ("resting", "quoted")
"""What only the virtual runtime can look at while a drill runs."""


@record
class Step:
    name: str
    do: str
    args: dict[str, object]
    at_ms: int | tuple[int, int] | None
    after: Cue | None
    plus_ms: int | tuple[int, int]
    within_ms: int
    """How long a cue may take."""


@record
class Expect:
    that: str
    args: dict[str, object]


@record
class Drill:
    name: str
    title: str
    shows: str
    runbook: str
    tier: str
    covers: tuple[str, ...]
    """Ids of the catalogue's scenarios that it rehearses."""
    seeds: tuple[int, ...]
    run_ms: int
    wallet: Decimal
    market: str
    listed: tuple[str, ...]
    """Further symbols the venue lists, which the engine may not trade."""
    contract: dict[str, str]
    """Rules of the market's symbol that are others from its first moment on."""
    settings: dict[str, object]
    rules: Rules
    steps: tuple[Step, ...]
    expects: tuple[Expect, ...]
    source: bytes
    """The file as it was read, for the evidence."""


def read_drill(path: Path) -> Drill:
    """One drill. ConfigError names file, key, value and what is allowed."""
    source = read_toml(path)
    try:
        said = tomllib.loads(source, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise ConfigError(f"{path.name}: {error}", hint="a drill is one TOML file") from error
    try:
        return parse(said, path.stem, source.encode())
    except ConfigError as error:
        raise ConfigError(f"{path.name}: {error}", hint=error.hint) from error


def parse(said: Mapping[str, object], stem: str, source: bytes = b"") -> Drill:
    """A drill from plain data; `stem` is the file's name, which the drill must bear."""
    _known("drill", said, _TOP)
    for key in _REQUIRED:
        if key not in said:
            raise ConfigError(f"{key} is missing", hint=f"required: {', '.join(_REQUIRED)}")
    name = _text("name", said["name"])
    if name != stem:
        raise ConfigError(f"name = {name!r} is refused", hint=f"allowed: {stem!r}, as its file is called")
    tier = _text("tier", said.get("tier", "virtual"))
    if tier not in TIERS:
        raise ConfigError(f"tier = {tier!r} is refused", hint=f"allowed: {', '.join(TIERS)}")
    settings = _settings(said.get("settings", {}))
    verbs, known = CATALOGUES[tier]
    steps = tuple(_step(number, each, verbs) for number, each in enumerate(_tables("step", said["step"]), 1))
    expects = tuple(_expect(each, known) for each in _tables("expect", said["expect"]))
    drill = Drill(
        name=name,
        title=_text("title", said["title"]),
        shows=_text("shows", said["shows"]),
        runbook=_text("runbook", said["runbook"]),
        tier=tier,
        covers=_covers(said.get("covers", [])),
        seeds=_seeds(said.get("seeds", [1])),
        run_ms=_ms("run_s", said["run_s"]),
        wallet=Decimal(str(said.get("wallet", 20_000))),
        market=_text("market", said.get("market", SCRIPT)),
        listed=_listed(said.get("listed", [])),
        contract=_contract(said.get("contract", {})),
        settings=settings,
        rules=rules_of(settings),
        steps=steps,
        expects=expects,
        source=source,
    )
    _agree(drill)
    return drill


def rules_of(settings: Mapping[str, object]) -> Rules:
    """What the engine decides with: the drills' base settings, then the drill's own. ConfigError as for any setting."""
    return load(file=None, environment={}, options={**BASE_SETTINGS, **settings}).settings.rules()


def parse_cue(text: str) -> Cue:
    """`state DEGRADED`, `level feed_stale opens`, `flat`, `holding`, `resting`, `quoted`, `ended`."""
    match text.split():
        case ["state", value] if value in set(FsmState):
            return Cue("state", value)
        case ["level", value, ("opens" | "closes") as edge] if value in set(FsmReason):
            return Cue("level", value, edge)
        case [("flat" | "holding" | "resting" | "quoted" | "ended") as kind]:
            return Cue(kind)
    hint = "allowed: `state STATE`, `level REASON opens|closes`, `flat`, `holding`, `resting`, `quoted`, `ended`"
    raise ConfigError(f"cue {text!r} is unknown", hint=hint)


def drawn(args: Mapping[str, object], chance: Random) -> dict[str, object]:
    """Arguments with every range replaced by this seed's value."""
    return {name: draw(held, chance) for name, held in args.items()}


def draw(held: object, chance: Random) -> object:
    """A value, or one from the range that a pair of numbers is."""
    if not isinstance(held, tuple) or len(held) != 2 or not all(isinstance(each, int | Decimal) for each in held):
        return held
    low, high = held
    if isinstance(low, int) and isinstance(high, int):
        return chance.randint(low, high)
    return Decimal(chance.randint(int(low * 1_000), int(high * 1_000))) / 1_000


def _step(number: int, said: Mapping[str, object], verbs: Mapping[str, Word]) -> Step:
    if "do" not in said:
        raise ConfigError(f"step {number}: do is missing", hint=f"allowed: {', '.join(verbs)}")
    given = {key: value for key, value in said.items() if key not in _STEP}
    name = _text("name", said.get("name", f"step {number}"))
    due = [key for key in ("at_s", "after") if key in said]
    if len(due) == 2:
        raise ConfigError(f"{name}: at_s and after contradict each other", hint="keep one of the two")
    if "at_s" in said and "plus_s" in said:
        raise ConfigError(f"{name}: at_s and plus_s contradict each other", hint="keep one of the two")
    return Step(
        name=name,
        do=_text("do", said["do"]),
        args=arguments("verb", verbs, said["do"], given),
        at_ms=_span(f"{name}: at_s", said["at_s"]) if "at_s" in said else None,
        after=parse_cue(_text("after", said["after"])) if "after" in said else None,
        plus_ms=_span(f"{name}: plus_s", said.get("plus_s", 0)),
        within_ms=_ms(f"{name}: within_s", said.get("within_s", 300)),
    )


def _expect(said: Mapping[str, object], known: Mapping[str, Word]) -> Expect:
    given = {key: value for key, value in said.items() if key != "that"}
    that = said.get("that")
    return Expect(that=str(that), args=arguments("expectation", known, that, given))


def _agree(drill: Drill) -> None:
    """What the parts say of each other: names counted from are there, none stands twice, verbs fit the market."""
    known = {step.name for step in drill.steps} | {"start", "fault", ""}
    for expect in drill.expects:
        for key in ("since", "until", "at"):
            text = expect.args.get(key, "")
            if isinstance(text, str) and text not in known:
                parse_cue(text)
        step = expect.args.get("step", "")
        if step not in known:
            raise ConfigError(f"expectation {expect.that}: step = {step!r} is unknown", hint=", ".join(sorted(known)))
    unseen = [step.after.kind for step in drill.steps if step.after and step.after.kind in _VIRTUAL_CUES]
    if unseen and drill.tier != "virtual":
        hint = "allowed: `state STATE`, `level REASON opens|closes`, `flat`, `holding`, `ended`"
        raise ConfigError(f"cue {unseen[0]!r} is not seen in tier {drill.tier!r}", hint=hint)
    scripted = drill.market == SCRIPT or drill.tier != "virtual"
    moved = [step.do for step in drill.steps if step.do in NEED_SCRIPT and not scripted]
    if moved:
        raise ConfigError(
            f"verb {moved[0]} cannot act on market {drill.market!r}", hint=f"allowed: market = {SCRIPT!r}"
        )
    if drill.contract and (drill.market != SCRIPT or drill.tier != "virtual"):
        raise ConfigError(f"contract cannot be with market {drill.market!r}", hint=f"allowed: market = {SCRIPT!r}")
    names = [step.name for step in drill.steps]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ConfigError(f"step name {doubled[0]!r} stands twice", hint="every step has its own name")


def _settings(said: object) -> dict[str, object]:
    if not isinstance(said, dict):
        raise ConfigError(f"settings = {said!r} is refused", hint='allowed: a table such as "health.dwell_seconds" = 5')
    found: dict[str, object] = {}
    for key, held in said.items():
        if isinstance(held, dict):
            found.update({f"{key}.{inner}": each for inner, each in held.items()})
        else:
            found[str(key)] = held
    return found


def _seeds(said: object) -> tuple[int, ...]:
    if not isinstance(said, list) or not said or not all(type(each) is int and each >= 0 for each in said):
        raise ConfigError(f"seeds = {said!r} is refused", hint="allowed: a list of whole numbers from 0 on")
    return tuple(said)


def _covers(said: object) -> tuple[str, ...]:
    named = said if isinstance(said, list) else [said]
    if not all(isinstance(each, str) and re.fullmatch(SCENARIO_ID, each) for each in named):
        raise ConfigError(f"covers = {said!r} is refused", hint="allowed: a list of ids such as F-001 or X-01")
    return tuple(named)


def _listed(said: object) -> tuple[str, ...]:
    if not isinstance(said, list) or not all(isinstance(each, str) and each for each in said):
        raise ConfigError(f"listed = {said!r} is refused", hint="allowed: a list of symbols")
    return tuple(said)


def _contract(said: object) -> dict[str, str]:
    if not isinstance(said, dict) or not all(re.fullmatch(r"\d+(\.\d+)?", str(held)) for held in said.values()):
        raise ConfigError(f"contract = {said!r} is refused", hint='allowed: rules as text, such as tick_size = "0.05"')
    return {str(name): str(held) for name, held in said.items()}


def _tables(key: str, said: object) -> Sequence[Mapping[str, object]]:
    if not isinstance(said, list) or not said or not all(isinstance(each, dict) for each in said):
        raise ConfigError(f"{key} = {said!r} is refused", hint=f"allowed: one or more [[{key}]] tables")
    return said


def _known(where: str, said: Mapping[str, object], allowed: Sequence[str]) -> None:
    for key, held in said.items():
        if key not in allowed:
            raise ConfigError(f"{where}: {key} = {held!r} is unknown", hint=f"allowed: {', '.join(allowed)}")


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{key} = {value!r} is refused", hint="allowed: text")
    return value


def _span(key: str, value: object) -> int | tuple[int, int]:
    if isinstance(value, list) and len(value) == 2:
        low, high = _ms(key, value[0]), _ms(key, value[1])
        if low <= high:
            return (low, high)
    return _ms(key, value)


def _ms(key: str, value: object) -> int:
    held = value if isinstance(value, int | Decimal) and not isinstance(value, bool) else Decimal("NaN")
    if not Decimal(held).is_finite() or not 0 <= held <= MOST_S:
        raise ConfigError(f"{key} = {value!r} is refused", hint=f"allowed: seconds from 0 to {MOST_S}")
    return int(held * 1_000)
