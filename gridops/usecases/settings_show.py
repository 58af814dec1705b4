"""Show or check the effective settings: every value with its source. Validates everything, sends nothing."""

from collections.abc import Mapping

from gridops.config import Loaded, load
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef
from gridops.domain.values import record
from gridops.usecases.command_evidence import newest
from gridops.usecases.place import Place


@record
class SettingSeen:
    key: str
    value: str
    source: str


@record
class SettingsReport:
    file: str
    home: str
    digest: str
    """sha256 of the effective values, as every bundle of a run carries it."""
    settings: tuple[SettingSeen, ...]
    evidence: EvidenceRef


def execute(place: Place, environment: Mapping[str, str]) -> SettingsReport:
    """Load and list. ConfigError names the key, its value, its source and the allowed range."""
    loaded = load(file=place.config, environment=environment)
    return SettingsReport(
        file="none" if place.config is None else str(place.config),
        home=str(place.located),
        digest=loaded.settings.digest,
        settings=listed(loaded),
        evidence=newest(place.evidence_root, EvidenceMode.CONFIG),
    )


def listed(loaded: Loaded) -> tuple[SettingSeen, ...]:
    """Every setting in the order of the file's sections."""
    found = []
    for section, content in loaded.settings.model_dump(mode="json").items():
        for name, held in content.items():
            key = f"{section}.{name}"
            text = ", ".join(held) if isinstance(held, list) else str(held)
            found.append(SettingSeen(key=key, value=text, source=loaded.sources.get(key, "default")))
    return tuple(found)
