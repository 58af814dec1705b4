"""The catalogue of scenarios: which are rehearsed by a drill, and why the others are not.

Read from `catalogue.toml` beside the drills, every key checked; a drill names what it rehearses with `covers`. It
tells who covers what, and runs nothing.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from gridops.domain.values import record
from gridops.errors import ConfigError
from gridops.sim.drill_spec import SCENARIO_ID, Drill

FILE = "catalogue.toml"
SEVERITIES = ("S1", "S2", "S3", "S4")
_KEYS = ("id", "severity", "group", "title", "not_covered")


@record
class Scenario:
    """One way in which things go wrong. `drills` rehearse it; `not_covered` says why none does."""

    id: str
    severity: str
    group: str
    title: str
    drills: tuple[str, ...]
    not_covered: str

    @property
    def covered(self) -> bool:
        return bool(self.drills)


def read_catalogue(folder: Path, drills: Sequence[Drill]) -> tuple[Scenario, ...]:
    """Every scenario with its drills. ConfigError for a malformed list, or one that does not agree with the drills."""
    try:
        said = tomllib.loads((folder / FILE).read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{FILE}: {error}", hint="the catalogue is one TOML file") from error
    return catalogue(said, {drill.name: drill.covers for drill in drills})


def catalogue(said: Mapping[str, object], covers: Mapping[str, Sequence[str]]) -> tuple[Scenario, ...]:
    """Scenarios from plain data and what each drill covers. Every one has a drill or a reason, and not both."""
    rows = said.get("scenarios")
    if set(said) != {"scenarios"} or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError("the catalogue is malformed", hint="allowed: one list named scenarios, of tables")
    found = tuple(_scenario(row, covers) for row in rows)
    known = [each.id for each in found]
    doubled = sorted({name for name in known if known.count(name) > 1})
    if doubled:
        raise ConfigError(f"{doubled[0]} stands twice in the catalogue", hint="one row each")
    for drill, ids in covers.items():
        unknown = sorted(set(ids) - set(known))
        if unknown:
            raise ConfigError(f"drill {drill} covers {unknown[0]}, which is no scenario", hint=f"see {FILE}")
    return found


def _scenario(row: Mapping[str, object], covers: Mapping[str, Sequence[str]]) -> Scenario:
    name = row.get("id")
    if not isinstance(name, str) or not re.fullmatch(SCENARIO_ID, name):
        raise ConfigError(f"id = {name!r} is refused", hint="allowed: F-nnn or X-nn")
    for key, held in row.items():
        if key not in _KEYS or not isinstance(held, str) or not held:
            raise ConfigError(f"{name}: {key} = {held!r} is refused", hint=f"allowed: texts {', '.join(_KEYS)}")
    if missing := [key for key in _KEYS[:-1] if key not in row]:
        raise ConfigError(f"{name}: {missing[0]} is missing", hint=f"required: {', '.join(_KEYS[:-1])}")
    if row["severity"] not in SEVERITIES:
        raise ConfigError(
            f"{name}: severity = {row['severity']!r} is refused", hint=f"allowed: {', '.join(SEVERITIES)}"
        )
    drills = tuple(sorted(drill for drill, ids in covers.items() if name in ids))
    reason = row.get("not_covered", "")
    if bool(drills) == bool(reason):
        was = f"both covered by {', '.join(drills)} and not covered" if drills else "without a drill and a reason"
        raise ConfigError(f"{name} is {was}", hint="keep `not_covered` for those that no drill covers")
    text = {key: str(row[key]) for key in _KEYS[:-1]}
    return Scenario(**text, drills=drills, not_covered=str(reason))
