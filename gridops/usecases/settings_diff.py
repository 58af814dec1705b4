"""What the settings now say against what the account last ran with: by setting, with its source and what it moves.

Against another file it compares setting by setting; against the journal it compares the rules the last run was started
with, and names the settings behind each rule that differs. Sends nothing. A change acts at the next start.
"""

from collections.abc import Mapping
from pathlib import Path

from gridops.config import Loaded, Settings, load
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef
from gridops.domain.rules import Rules
from gridops.domain.values import record
from gridops.usecases.command_evidence import newest
from gridops.usecases.place import Place
from gridops.usecases.recovered import recovered
from gridops.usecases.settings_show import listed
from gridops.usecases.what_if import Path as RulePath
from gridops.usecases.what_if import differing, rule_paths, value_at

SECTIONS = ("grid", "risk", "health", "sync", "operations")
"""What the engine decides with; account and venue say where."""

_LISTS: Mapping[str, RulePath] = {
    "grid.symbols": ("symbols",),
    "health.shadow": ("health", "shadow"),
    "sync.auto": ("sync", "auto"),
}
"""Names, not figures: the rule they set, said here because no other value can be made up for them."""


@record
class SettingChange:
    """One setting that differs. `rules` tells the decision's own figures, such as `grid.levels 10 -> 5`."""

    key: str
    was: str
    """As the other file has it; empty against the journal, which keeps rules and no settings."""
    now: str
    source: str
    rules: tuple[str, ...]


@record
class DiffReport:
    """`against` names the other side: a file, a run of the journal, or `defaults` where nothing ever ran."""

    against: str
    file: str
    changes: tuple[SettingChange, ...]
    evidence: EvidenceRef


def execute(place: Place, environment: Mapping[str, str], other: Path | None) -> DiffReport:
    """Compare. ConfigError where either side is refused; nothing is taken by half."""
    loaded = load(file=place.config, environment=environment)
    if other is not None:
        against, changes = str(other), _by_setting(load(file=other, environment={}), loaded)
    else:
        against, changes = _by_rule(place, loaded)
    return DiffReport(
        against=against,
        file="none" if place.config is None else str(place.config),
        changes=changes,
        evidence=newest(place.evidence_root, EvidenceMode.CONFIG),
    )


def _by_setting(was: Loaded, now: Loaded) -> tuple[SettingChange, ...]:
    before = {each.key: each.value for each in listed(was)}
    one, other = was.settings.rules(), now.settings.rules()
    moved = set(differing(one, other))
    return tuple(
        SettingChange(
            key=each.key,
            was=before[each.key],
            now=each.value,
            source=each.source,
            rules=_told([path for path in _paths(each.key) if path in moved], one, other),
        )
        for each in listed(now)
        if _held(was.settings, each.key) != _held(now.settings, each.key)
    )


def _by_rule(place: Place, now: Loaded) -> tuple[str, tuple[SettingChange, ...]]:
    known = recovered(place.home, now.settings)
    against = f"run {known.identity.run_id}" if known.booted else "defaults"
    one = known.rules if known.booted else Settings().rules()
    other = now.settings.rules()
    moved = list(differing(one, other))
    if not moved:
        return against, ()
    owners: dict[str, list[RulePath]] = {}
    for each in listed(now):
        for path in _paths(each.key):
            if path in moved:
                owners.setdefault(each.key, []).append(path)
    return against, tuple(
        SettingChange(
            key=each.key, was="", now=each.value, source=each.source, rules=_told(owners[each.key], one, other)
        )
        for each in listed(now)
        if each.key in owners
    )


def _held(settings: Settings, key: str) -> object:
    section, _, name = key.partition(".")
    return getattr(getattr(settings, section), name)


def _paths(key: str) -> list[RulePath]:
    """The rules this setting moves."""
    if key in _LISTS:
        return [_LISTS[key]]
    return rule_paths(key, Settings()) if key.partition(".")[0] in SECTIONS else []


def _told(paths: list[RulePath], one: Rules, other: Rules) -> tuple[str, ...]:
    return tuple(f"{'.'.join(path)} {_said(value_at(one, path))} -> {_said(value_at(other, path))}" for path in paths)


def _said(held: object) -> str:
    return ", ".join(map(str, held)) or "none" if isinstance(held, tuple) else str(held)
