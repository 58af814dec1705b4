"""The suite notices what must never happen: each one-line defect of the list turns its tests red, in a copy.

The list is `fixtures/mutations.toml`: file, old text, new text, what it breaks, the tests that see it. Run at night,
each on a copy of the tree, by the tests and with the counts of the day; a line that has moved fails by day as well.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FEWEST = 40
MUTATIONS = {each["name"]: each for each in tomllib.loads((ROOT / "fixtures/mutations.toml").read_text())["mutation"]}


def _run(tree: Path, tests: str, within_s: float = 300) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join((str(tree), str(tree / "commands")))
    by_day = {name: value for name, value in os.environ.items() if not name.startswith("SUITE_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not nightly", "-p", "no:cacheprovider", "-p", "no:xdist",
         *tests.split()],
        cwd=tree, env={**by_day, "PYTHONPATH": path}, capture_output=True, text=True, timeout=within_s,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the sources and tests, on which every named test is green."""
    copy: Path = tmp_path_factory.mktemp("mutations") / "tree"
    for folder in ("gridops", "commands", "tests", "fixtures"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    tests = sorted({name for each in MUTATIONS.values() for name in each["tests"].split()})
    clean = _run(copy, " ".join(tests), within_s=850)
    assert clean.returncode == 0, clean.stdout[-2_000:]
    yield copy
    shutil.rmtree(copy)


def test_the_list_is_long_enough_and_names_what_exists() -> None:
    assert len(MUTATIONS) >= FEWEST
    for each in MUTATIONS.values():
        assert (ROOT / each["file"]).read_text("utf-8").count(each["old"]) == 1, f"{each['name']}: the line has moved"
        assert each["old"] != each["new"]
        assert all((ROOT / name.split("::")[0]).is_file() for name in each["tests"].split())


@pytest.mark.nightly
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("name", list(MUTATIONS))
def test_a_planted_fault_turns_the_suite_red(name: str, tree: Path) -> None:
    fault = MUTATIONS[name]
    file = tree / fault["file"]
    source = file.read_text("utf-8")
    assert source.count(fault["old"]) == 1, "the copy is not clean"
    file.write_text(source.replace(fault["old"], fault["new"]), "utf-8")
    try:
        planted = _run(tree, fault["tests"])
    finally:
        file.write_text(source, "utf-8")
    # Failed tests, or a module whose own checks refuse to load it.
    assert planted.returncode in (1, 2), planted.stdout[-2_000:]
    assert "failed" in planted.stdout or "error" in planted.stdout
