"""A home is found in the order option, environment, search upwards, running engine, default, and says which it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from gridops.adapters.home import FOLDER, Home, register, registry, resolve, running, unregister
from gridops.errors import ConfigError, Refused


def _environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state"), **more}


def test_the_option_wins_over_the_environment(tmp_path: Path) -> None:
    environment = _environment(tmp_path, GRIDOPS_HOME=str(tmp_path / "b"))
    (tmp_path / FOLDER).mkdir()
    assert resolve("a", environment, tmp_path).home.root == tmp_path / "a"
    assert resolve(None, environment, tmp_path).home.root == tmp_path / "b"


def test_a_home_above_the_working_directory_is_found(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    deep = tmp_path / "x" / "y"
    deep.mkdir(parents=True)
    found = resolve(None, _environment(tmp_path), deep)
    assert found.home.root == tmp_path / FOLDER
    assert "above" in str(found)


def test_a_link_or_a_file_above_is_not_taken_for_a_home(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / FOLDER).symlink_to(tmp_path / "elsewhere")
    assert resolve(None, _environment(tmp_path), tmp_path).source == "default"


def test_a_home_of_another_user_is_not_adopted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FOLDER).mkdir()
    below = tmp_path / "x"
    below.mkdir()
    us = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: us + 1)
    assert resolve(None, _environment(tmp_path), below).home.root == below / FOLDER


def test_the_one_running_engine_gives_the_home_except_to_a_start(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    far, here = tmp_path / "far" / FOLDER, tmp_path / "here"
    here.mkdir()
    note = register(Home(far), "paper", since_ms=5, environment=environment)
    assert resolve(None, environment, here).home.root == far
    assert resolve(None, environment, here, for_start=True).home.root == here / FOLDER
    unregister(note)
    unregister(note)
    assert resolve(None, environment, here).source == "default"


def test_a_dead_engine_gives_no_home(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    register(Home(tmp_path / "far"), "paper", since_ms=5, environment=environment, pid=process.pid)
    assert [each.alive for each in running(environment)] == [True]
    process.communicate(b"\n")
    assert [each.alive for each in running(environment)] == [False]
    assert resolve(None, environment, tmp_path).source == "default"


def test_several_running_homes_are_a_question_not_a_guess(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    register(Home(tmp_path / "a"), "paper", since_ms=5, environment=environment)
    register(Home(tmp_path / "b"), "paper", since_ms=5, environment=environment, pid=os.getppid())
    with pytest.raises(ConfigError, match=r"several homes: .*/a, .*/b"):
        resolve(None, environment, tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff\xfe", b"null"])
def test_a_damaged_note_is_passed_over(tmp_path: Path, content: bytes) -> None:
    environment = _environment(tmp_path)
    registry(environment).mkdir(parents=True)
    (registry(environment) / "7.json").write_bytes(content)
    assert running(environment) == ()


def test_a_reused_pid_is_not_the_engine(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    note = register(Home(tmp_path), "paper", since_ms=5, environment=environment)
    said = json.loads(note.read_text())
    note.write_text(json.dumps({**said, "start_ticks": said["start_ticks"] - 1}))
    assert [each.alive for each in running(environment)] == [False]


def test_folders_are_closed_to_others(tmp_path: Path) -> None:
    root = tmp_path / FOLDER
    root.mkdir(mode=0o755)
    home = Home(root).ensure()
    for folder in (home.root, home.log_dir, home.cache_dir):
        assert folder.stat().st_mode & 0o077 == 0


def test_a_home_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        Home(tmp_path / "file" / "home").ensure()


@pytest.mark.parametrize("name", ["", "A", "../x", "a/b", "a b", "x" * 33, "-x", "a.b"])
def test_an_account_name_cannot_leave_the_home(name: str) -> None:
    with pytest.raises(ConfigError, match="no account name"):
        Home(Path("/h")).journal(name)


def test_accounts_are_those_with_a_journal_or_a_lease(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for path in (home.journal("b"), home.lease("a"), home.lease("b"), tmp_path / "x.txt", tmp_path / "C.lease"):
        path.touch()
    assert home.accounts() == ("a", "b")
    assert Home(tmp_path / "none").accounts() == ()


def test_the_socket_stands_in_the_home_when_the_path_is_short() -> None:
    assert Home(Path("/h")).control_socket("paper", {}) == Path("/h/paper.sock")


def test_a_long_path_moves_the_socket_to_the_runtime_folder(tmp_path: Path) -> None:
    short = Path("/tmp") / f"gridops-test-{os.getpid()}"
    short.mkdir(mode=0o700)
    try:
        home, other = (Home(tmp_path / letter / ("x" * 100)) for letter in "ab")
        environment = {"XDG_RUNTIME_DIR": str(short)}
        path = home.control_socket("paper", environment)
        assert path.parent == short / "gridops"
        assert len(os.fsencode(path)) <= 100
        assert path == home.control_socket("paper", environment)
        assert path not in (home.control_socket("other", environment), other.control_socket("paper", environment))
        path.parent.chmod(0o777)
        with pytest.raises(Refused, match="ours alone"):
            home.control_socket("paper", environment)
    finally:
        (short / "gridops").rmdir()
        short.rmdir()
