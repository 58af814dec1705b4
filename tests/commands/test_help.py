"""Every command explains itself, with an example; the root's table says what the commands say."""

from collections.abc import Iterator
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from tests.commands.kit import Runner

from gridops_cli.app import COMMANDS, root_command


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below the root, groups included."""
    if path:
        yield path, command
    context = command.context_class(command)
    names = command.list_commands(context) if hasattr(command, "list_commands") else []
    for name in names:
        yield from walk(command.get_command(context, name), (*path, name))


EVERY = [path for path, _ in walk(root_command())]


def test_the_walk_sees_what_is_there() -> None:
    assert {path[0] for path in EVERY} == set(COMMANDS)
    assert ("fsm", "emergency") in EVERY and ("venue", "stop") in EVERY and ("kill",) in EVERY


@pytest.mark.parametrize("path", [(), *EVERY], ids=" ".join)
def test_help(path: tuple[str, ...], cli: Runner, snapshot: SnapshotAssertion) -> None:
    ran = cli(*path, "--help")
    assert ran.code == 0
    assert ran.err == "" and ran.refs() == []
    assert "Example: gridops " in ran.out
    assert ran.out == snapshot


def test_short_help_flag_works_everywhere(cli: Runner) -> None:
    for path in EVERY:
        assert cli(*path, "-h").out == cli(*path, "--help").out


def test_the_table_says_what_the_commands_say() -> None:
    for path, command in walk(root_command()):
        if len(path) == 1:
            assert command.help.splitlines()[0] == COMMANDS[path[0]][1]


def test_no_word_at_all_shows_the_help(cli: Runner) -> None:
    assert cli().out == cli("--help").out
    assert cli("fsm").out.rstrip() == cli("fsm", "--help").out.rstrip()


def test_version_is_one_line_without_evidence(cli: Runner) -> None:
    ran = cli("--version")
    assert ran.code == 0 and ran.out.startswith("gridops ") and ran.refs() == []
