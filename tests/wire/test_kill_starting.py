"""An engine that dies at each call site while it starts: the books after the next start are the venue's."""

from pathlib import Path

import pytest
from tests.wire.kill_sweep import every_site_of, first_starts

pytestmark = [pytest.mark.wire, pytest.mark.nightly, pytest.mark.timeout(3_400)]


@pytest.mark.parametrize("state", ["STARTING", "INIT", "READY"])
def test_killed_at_each_call_site_of_a_start(tmp_path: Path, state: str) -> None:
    every_site_of(tmp_path, state)


def test_killed_where_only_an_accounts_first_start_comes_by(tmp_path: Path) -> None:
    first_starts(tmp_path)
