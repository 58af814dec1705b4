"""The suite notices what must never happen: each planted fault turns a named test red, in a copy of the tree."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLANTED = {
    "a transition without its metric": (
        "gridops/adapters/record_metrics.py",
        "            Transition: self._transition,\n",
        "",
        "tests/adapters/test_record_metrics.py",
    ),
    "a place sent before its row is durable": (
        "gridops/runtime/outbox.py",
        "        held = [send for send in sends if send.durable]\n",
        "        for send in list(sends):\n            self._release(send, state)\n        held = []\n",
        "tests/runtime/test_outbox.py",
    ),
    "a growing amend let through by the last hop in PAUSED": (
        "gridops/runtime/outbox.py",
        "            permission=self._permits(op.intent, state),\n",
        "            permission=op.kind is OpKind.AMEND or self._permits(op.intent, state),\n",
        "tests/runtime/test_outbox.py",
    ),
    "a growing amend let through by the gates in PAUSED": (
        "gridops/decide/gates.py",
        '    if request.kind is OpKind.DEADMAN:\n        return ""\n    grant',
        '    if request.kind in (OpKind.DEADMAN, OpKind.AMEND):\n        return ""\n    grant',
        "tests/runtime/test_gate_views.py",
    ),
}


def _judge(tree: Path, tests: str) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join((str(tree), str(tree / "commands")))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", tests],
        cwd=tree, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.mark.nightly
@pytest.mark.timeout(700)
@pytest.mark.parametrize("name", list(PLANTED))
def test_a_planted_fault_turns_the_suite_red(name: str, tmp_path: Path) -> None:
    file, old, new, tests = PLANTED[name]
    tree = tmp_path / "tree"
    for folder in ("gridops", "commands", "tests", "fixtures"):
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    clean = _judge(tree, tests)
    assert clean.returncode == 0, clean.stdout[-2_000:]
    source = (tree / file).read_text("utf-8")
    assert source.count(old) == 1, f"{file} no longer holds the text this mutation replaces"
    (tree / file).write_text(source.replace(old, new), "utf-8")
    planted = _judge(tree, tests)
    assert planted.returncode == 1, planted.stdout[-2_000:]
    assert "1 failed" in planted.stdout
