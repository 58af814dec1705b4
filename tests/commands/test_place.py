"""A command's home, account, config and evidence root are the named ones, and never a guess between several."""

from pathlib import Path

import pytest
from gridops.adapters.home import Home
from gridops.errors import ConfigError
from gridops.usecases.place import Wanted, find


def test_the_account_is_the_named_the_configured_or_the_only_one(home: Home, empty_folder: Path) -> None:
    home.ensure()
    assert find(Wanted(), {}, empty_folder).account == "paper"
    home.journal("alpha").touch()
    assert find(Wanted(), {}, empty_folder).account == "alpha"
    assert find(Wanted(), {}, empty_folder, for_start=True).account == "paper"
    (empty_folder / "gridops.toml").write_text('[account]\nname = "beta"\n')
    assert find(Wanted(), {}, empty_folder).account == "beta"
    assert find(Wanted(), {"GRIDOPS_ACCOUNT__NAME": "gamma"}, empty_folder).account == "gamma"
    assert find(Wanted(account="delta"), {"GRIDOPS_ACCOUNT__NAME": "gamma"}, empty_folder).account == "delta"


def test_several_accounts_are_a_question(home: Home, empty_folder: Path) -> None:
    home.ensure()
    home.journal("alpha").touch()
    home.lease("beta").touch()
    with pytest.raises(ConfigError, match="alpha, beta"):
        find(Wanted(), {}, empty_folder)


def test_the_config_file_stands_here_or_beside_the_home(home: Home, empty_folder: Path) -> None:
    home.ensure()
    below = empty_folder / "below"
    below.mkdir()
    assert find(Wanted(), {}, below).config is None
    (empty_folder / "gridops.toml").write_text("")
    assert find(Wanted(), {}, below).config == empty_folder / "gridops.toml"
    (below / "gridops.toml").write_text("")
    assert find(Wanted(), {}, below).config == below / "gridops.toml"
    with pytest.raises(ConfigError, match="is no file"):
        find(Wanted(config="absent.toml"), {}, below)


def test_the_evidence_root_stays_as_short_as_it_was_given(empty_folder: Path) -> None:
    # A registry of its own: engines that run on this machine are nobody's business here.
    alone = {"XDG_STATE_HOME": str(empty_folder / "state")}
    named = {**alone, "GRIDOPS_EVIDENCE_DIR": "e"}
    assert find(Wanted(), alone, empty_folder).evidence_root == Path("evidence")
    assert find(Wanted(), named, empty_folder).evidence_root == Path("e")
    assert find(Wanted(evidence_dir="o"), named, empty_folder).evidence_root == Path("o")


def test_an_account_name_from_anywhere_is_checked(empty_folder: Path) -> None:
    with pytest.raises(ConfigError, match="no account name"):
        find(Wanted(account="../../etc"), {"XDG_STATE_HOME": str(empty_folder / "state")}, empty_folder)
