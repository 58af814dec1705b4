"""Every `--json` document keeps its committed shape: what a script reads today it can read tomorrow."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home
from gridops.domain.events import Event
from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import ExitCode
from tests.commands.kit import Runner, boot, said, write_journal
from tests.commands.schema_kit import FOLDER, broken, hold, joined, shape

WORDS = [
    line.split()
    for line in """
    fsm show
    fsm show --table
    fsm pause --reason x
    triage
    triage --bundle
    triage --sanity
    triage --claims
    doctor
    init --output new.toml
    config show
    config check
    config diff --against gridops.toml
    evidence list
    evidence show
    evidence verify
    evidence prune --keep 1
    replay
    replay --set grid.levels=3
    drill list
    drill list --catalogue
    drill words
    drill run kill-flat
    runbook
    runbook fsm
    roundtrip list
    roundtrip report
    venue list
    venue probe
    run --venue ftp://nowhere
    """.strip().splitlines()
]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_documents_keep_their_shape(words: list[str], cli: Runner, home: Home, empty_folder: Path) -> None:
    events: list[Event] = [boot(), said(OperatorCommand.PAUSE, "news"), said(OperatorCommand.RESUME, "over")]
    write_journal(home, events, checkpoint_after=1)
    (empty_folder / "gridops.toml").write_text("[grid]\nlevels = 5\n")
    cli("fsm", "pause", "--reason", "leaves a bundle")
    ran = cli(*words, "--json")
    assert ran.code != ExitCode.BUG, ran.err
    document = ran.document()
    refused = words[0] == "run" or words[:2] == ["fsm", "pause"]
    assert refused is (document["schema"] == "gridops.error/1"), document
    hold(document)


def test_on_a_fresh_machine_they_are_the_same(cli: Runner) -> None:
    """Nothing there: absent is said as null or empty, not by leaving a name out."""
    for words in ("fsm show", "triage", "doctor", "config show", "evidence list", "evidence verify", "venue list"):
        ran = cli(*words.split(), "--json")
        if ran.document()["schema"] != "gridops.error/1":
            hold(ran.document())


KEPT: dict[str, Callable[[dict[str, Any]], object]] = {
    "a name is gone": lambda found: found.pop("b"),
    "a number became text": lambda found: found.update(a="1"),
    "a deep name is gone": lambda found: found["b"][0].pop("c"),
    "a list became an object": lambda found: found.update(b={}),
    "text became null": lambda found: found["b"][0].update(c=None),
}


@pytest.mark.parametrize("kind", KEPT)
def test_an_incompatible_change_is_seen(kind: str) -> None:
    document = {"a": 1, "b": [{"c": "x"}, {"c": "y"}], "d": None}
    schema = shape(document)
    assert broken(schema, document) == []
    assert broken(schema, {**document, "new": 1}) == [], "an addition is no break"
    changed = copy.deepcopy(document)
    KEPT[kind](changed)
    assert broken(schema, changed)


def test_what_may_be_absent_is_not_required() -> None:
    schema = joined(shape({"a": 1, "b": None}), shape({"a": 2, "b": "x", "c": 1}))
    assert schema["required"] == ["a", "b"] and schema["properties"]["b"]["type"] == ["null", "string"]
    assert broken(schema, {"a": 1, "b": "y"}) == []


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_committed_schemas_are_schemas(file: Path) -> None:
    schema = json.loads(file.read_text())
    name, _, version = schema["title"].removeprefix("gridops.").partition("/")
    assert file.name == f"{name}.{version}.json" and version.isdecimal()
    assert {"schema", "evidence"} <= set(schema["required"])
