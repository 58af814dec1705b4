"""An engine that dies at each call site of a retreat: the books after the next start are the venue's."""

from pathlib import Path

import pytest
from tests.wire.kill_sweep import every_site_of

pytestmark = [pytest.mark.wire, pytest.mark.nightly, pytest.mark.timeout(3_400)]


@pytest.mark.parametrize("state", ["DEGRADED", "EMERGENCY", "LATCHED", "STOPPING"])
def test_killed_at_each_call_site_of_a_retreat(tmp_path: Path, state: str) -> None:
    every_site_of(tmp_path, state)
