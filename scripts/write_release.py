"""What a release says about itself: `scripts/write_release.py [FOLDER]`, by default `dist/`.

Writes `sbom.cdx.json` (CycloneDX 1.6), `licences.md` and `release-notes.md` from what is installed in this environment:
run it in one that was made with `-c constraints.txt`. It reads metadata that packages state of themselves and looks
nothing up: it is a list of contents, not a scan for known weaknesses, and it says so.
"""

import json
import re
import sys
import uuid
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OURS = "gridops-cli"
UNSTATED = "not stated"
CAVEAT = "Contents as installed, by the packages' own metadata. No database of known vulnerabilities was consulted."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHORT = 60
"""A licence field longer than this is a whole text, not a name."""


@dataclass(frozen=True)
class Part:
    """One installed distribution. `needs` are names of further parts."""

    name: str
    version: str
    licence: str
    needs: tuple[str, ...]

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"


def canonical(name: str) -> str:
    """The form in which an index compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parts(root: str = OURS) -> dict[str, Part]:
    """What is installed and needed to run, by name: the root first, extras left out."""
    found: dict[str, Part] = {}
    waiting = [canonical(root)]
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        try:
            about = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # needed on another system or Python only
        needs = tuple(sorted({each for each in map(_needed, about.requires or []) if each}))
        found[name] = Part(name, about.version, _licence(about), needs)
        waiting += needs
    return found


def _needed(requirement: str) -> str:
    """Name of a requirement; empty when only an extra asks for it."""
    text, _, marker = requirement.partition(";")
    match = _NAME.match(text.strip())
    return "" if match is None or "extra" in marker else canonical(match[0])


def _licence(about: metadata.Distribution) -> str:
    said = about.metadata
    named = said.get("License-Expression") or ""
    if not named:
        kinds = [
            each.rpartition(" :: ")[2] for each in said.get_all("Classifier") or [] if each.startswith("License ::")
        ]
        named = " / ".join(kinds)
    text = (said.get("License") or "").strip()
    return named or (text if 0 < len(text) <= _SHORT and "\n" not in text else UNSTATED)


def sbom(found: dict[str, Part]) -> dict[str, Any]:
    """A CycloneDX document; equal contents give equal bytes."""
    own, *rest = found.values()
    ordered = sorted(rest, key=lambda part: part.name)
    content = " ".join(part.purl for part in [own, *ordered])
    installed = found.keys()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {
            "component": {**_component(own), "type": "application"},
            "properties": [{"name": "gridops:caveat", "value": CAVEAT}],
        },
        "components": [_component(part) for part in ordered],
        "dependencies": [
            {"ref": part.purl, "dependsOn": [found[name].purl for name in part.needs if name in installed]}
            for part in [own, *ordered]
        ],
    }


def _component(part: Part) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": "library", "bom-ref": part.purl, "name": part.name, "version": part.version, "purl": part.purl,
    }  # fmt: skip
    if part.licence != UNSTATED:
        body["licenses"] = [{"license": {"name": part.licence}}]
    return body


def licences(found: dict[str, Part]) -> str:
    """A table for people."""
    rows = [f"| {part.name} | {part.version} | {part.licence} |" for part in sorted(found.values(), key=_by_name)]
    return "\n".join(["# Licences", "", CAVEAT, "", "| Package | Version | Licence |", "|---|---|---|", *rows, ""])


def _by_name(part: Part) -> str:
    return part.name


def notes(found: dict[str, Part], changelog: str) -> str:
    """The newest section of the changelog, and what it was built of."""
    sections = re.split(r"(?m)^(?=## )", changelog)
    newest = sections[1].strip() if len(sections) > 1 else changelog.strip()
    own = next(iter(found.values()))
    told = f"{len(found) - 1} packages to run; see `sbom.cdx.json` and `licences.md`. {CAVEAT}"
    return f"# gridops {own.version}\n\n{newest}\n\n## Contents\n\n{told}\n"


def main(words: list[str]) -> int:
    """Write the three files."""
    folder = Path(words[0]) if words else ROOT / "dist"
    folder.mkdir(parents=True, exist_ok=True)
    found = parts()
    if OURS not in found:
        print(f"{OURS} is not installed here: run it in the environment of the release", file=sys.stderr)
        return 2
    (folder / "sbom.cdx.json").write_text(json.dumps(sbom(found), indent=2) + "\n")
    (folder / "licences.md").write_text(licences(found))
    (folder / "release-notes.md").write_text(notes(found, (ROOT / "CHANGELOG.md").read_text()))
    print(
        f"{folder}: {len(found)} packages, {sum(part.licence == UNSTATED for part in found.values())} without a licence"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
