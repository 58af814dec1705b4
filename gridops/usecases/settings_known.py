"""What triage has to know of the settings, remembered by the run that took them.

Validation loads a library that costs a third of a short command. Its verdict depends on the texts alone, so a run notes
a digest of the texts it accepted with the two values triage asks for; the same texts need no second validation. A note
that is missing, damaged or of other texts is no verdict: then the settings are validated.
"""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import gridops
from gridops.domain.values import record
from gridops.errors import ConfigError
from gridops.usecases.place import Place

_PLACES = ("GRIDOPS_HOME", "GRIDOPS_EVIDENCE_DIR", "GRIDOPS_API_KEY", "GRIDOPS_API_SECRET", "GRIDOPS_NOTIFY_URLS")
_LARGEST = 4_096


@record
class Known:
    """Of accepted settings."""

    url: str
    min_free_mb: int


def is_setting(name: str) -> bool:
    """Whether a variable of the environment sets something; secrets and places do not."""
    return name.startswith("GRIDOPS_") and name not in _PLACES


def read(place: Place, environment: Mapping[str, str]) -> tuple[Known | None, str]:
    """The settings a start here would take, or why it would refuse them."""
    return _noted(place, environment) or _validated(place, environment)


def remember(place: Place, environment: Mapping[str, str]) -> None:
    """Note these texts if they are accepted as they stand, without any option. Without a note nothing is lost."""
    known, _ = _validated(place, environment)
    if known is None:
        return
    note = _note(place)
    unfinished = note.with_suffix(".new")
    said = {"of": _digest(place, environment), "url": known.url, "min_free_mb": known.min_free_mb}
    try:
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.write_text(json.dumps(said), "utf-8")
        os.replace(unfinished, note)
    except OSError:
        return


def _validated(place: Place, environment: Mapping[str, str]) -> tuple[Known | None, str]:
    from gridops.config import load

    try:
        settings = load(file=place.config, environment=environment).settings
    except ConfigError as error:
        return None, str(error)
    return Known(url=settings.venue.url, min_free_mb=settings.operations.min_free_mb), ""


def _noted(place: Place, environment: Mapping[str, str]) -> tuple[Known, str] | None:
    try:
        with _note(place).open("rb") as file:
            said = json.loads(file.read(_LARGEST))
        if said["of"] != _digest(place, environment):
            return None
        return Known(url=str(said["url"]), min_free_mb=int(said["min_free_mb"])), ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _digest(place: Place, environment: Mapping[str, str]) -> str:
    """Of all that validation sees, and of the code that validates. OSError when the file cannot be read."""
    code = (Path(gridops.__file__).parent / "config.py").stat()
    seen = sha256(f"{gridops.__version__} {code.st_size} {code.st_mtime_ns}".encode())
    for name in sorted(filter(is_setting, environment)):
        seen.update(f"\0{name}={environment[name]}".encode("utf-8", "surrogateescape"))
    seen.update(b"\0" + (b"" if place.config is None else place.config.read_bytes()))
    return seen.hexdigest()


def _note(place: Place) -> Path:
    return place.home.cache_dir / f"{place.account}.settings.json"
