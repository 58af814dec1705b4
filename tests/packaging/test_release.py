"""What a release says of its contents: complete, the versions that are installed, equal bytes, and no claim beyond."""

import importlib.util
import json
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
from tests.packaging.kit import ROOT

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_release", ROOT / "scripts" / "write_release.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def direct() -> set[str]:
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return {re.split(r"[<>=~!\[ ;]", need)[0] for need in needs}


def test_every_dependency_is_listed_as_it_is_installed(release: ModuleType, tmp_path: Path) -> None:
    assert release.main([str(tmp_path)]) == 0
    bom = json.loads((tmp_path / "sbom.cdx.json").read_text())
    assert (bom["bomFormat"], bom["specVersion"], bom["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", bom["serialNumber"])
    listed = {each["name"]: each["version"] for each in bom["components"]}
    assert direct() <= listed.keys()
    assert {name: metadata.version(name) for name in listed} == listed
    # What only tests or linters need is no part of what an operator runs.
    assert not {"pytest", "mypy", "ruff", "hypothesis"} & listed.keys()
    refs = {each["bom-ref"] for each in bom["components"]} | {bom["metadata"]["component"]["bom-ref"]}
    assert {each["ref"] for each in bom["dependencies"]} == refs
    assert {name for each in bom["dependencies"] for name in each["dependsOn"]} <= refs


def test_what_is_listed_is_what_is_pinned(release: ModuleType) -> None:
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert release.parts().keys() - {"gridops-cli"} <= pinned


def test_equal_contents_give_equal_bytes(release: ModuleType, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        release.main([str(tmp_path / folder)])
    for name in ("sbom.cdx.json", "licences.md", "release-notes.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_every_licence_is_stated_and_none_asks_for_our_source(release: ModuleType) -> None:
    stated = {part.name: part.licence for part in release.parts().values()}
    assert [name for name, licence in stated.items() if licence == release.UNSTATED] == []
    strong = re.compile(r"(?<!L)\bA?GPL|GNU (Affero )?General Public", re.IGNORECASE)
    assert {name: licence for name, licence in stated.items() if strong.search(licence)} == {}


def test_no_scan_is_claimed(release: ModuleType, tmp_path: Path) -> None:
    release.main([str(tmp_path)])
    for name in ("sbom.cdx.json", "licences.md", "release-notes.md"):
        text = (tmp_path / name).read_text()
        assert "No database of known vulnerabilities was consulted" in text
        assert str(ROOT) not in text and "file://" not in text
    assert "## 0." in (tmp_path / "release-notes.md").read_text()
