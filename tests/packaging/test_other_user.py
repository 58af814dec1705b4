"""An incident bundle is replayed by another user, in an empty folder, with another interpreter and no home of ours.

Needs the right to become somebody else, and an interpreter and libraries that this somebody may read.
"""

import os
import pwd
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.packaging.kit import ROOT

pytestmark = [pytest.mark.packaging, pytest.mark.nightly, pytest.mark.timeout(300)]
NOBODY = "nobody"
SYSTEM_PYTHON = Path(f"/usr/bin/python3.{sys.version_info.minor}")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that everybody may enter; the test's own is ours alone."""
    folder = Path(tempfile.mkdtemp(prefix="gridops-other-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def ran(python: Path | str, folder: Path, tree: Path, *words: str, user: str | None = None) -> str:
    """What the command says on stdout. Ends the test when it fails."""
    path = os.pathsep.join((str(tree), str(tree / "commands"), sysconfig.get_path("purelib")))
    done = subprocess.run(
        [str(python), "-m", "gridops_cli", *words],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=120, user=user, group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
    )  # fmt: skip
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr
    return done.stdout


def may_run(python: Path) -> bool:
    """May the other user run this interpreter with our libraries?"""
    if os.geteuid() != 0 or not python.exists():
        return False
    look = f"import sys; sys.path.append({sysconfig.get_path('purelib')!r}); import pydantic_core, orjson"
    done = subprocess.run([str(python), "-c", look], capture_output=True, cwd="/", user=NOBODY, extra_groups=[])
    return done.returncode == 0


def said(text: str, word: str) -> str:
    found = re.search(rf"^{word}\s+(\S+)$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def test_another_user_comes_to_the_same_digest(shared: Path) -> None:
    if not may_run(SYSTEM_PYTHON):
        pytest.skip(f"{NOBODY} cannot run {SYSTEM_PYTHON} with the libraries that are here")
    tree, ours, theirs = shared / "tree", shared / "ours", shared / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
    for name in ("gridops", "commands", "fixtures"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    summary = ran(sys.executable, ours, tree, "run", "--headless", "--duration", "10s")
    ran(sys.executable, ours, tree, "triage", "--bundle")
    (made,) = (ours / "evidence" / "incident").iterdir()
    bundle = shared / made.name
    shutil.copytree(made, bundle)
    for path in (bundle, *bundle.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.chown(theirs, NOBODY)
    theirs_said = ran(SYSTEM_PYTHON, theirs, tree, "replay", str(bundle), user=NOBODY)
    assert said(theirs_said, "records digest") == said(summary, "digest")
    assert "equal: every row and every checkpoint" in theirs_said
    assert {path.owner() for path in theirs.rglob("*")} == {NOBODY}
    assert "all as written" in ran(SYSTEM_PYTHON, theirs, tree, "evidence", "verify", str(bundle), user=NOBODY)
    journal = bundle / "journal.jsonl"
    spoilt = bytearray(journal.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    journal.write_bytes(spoilt)
    assert "sum_mismatch" in ran(SYSTEM_PYTHON, theirs, tree, "evidence", "verify", str(bundle), user=NOBODY)
