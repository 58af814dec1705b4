"""An engine that dies where plain scenes come by chance only: the books after the next start are the venue's."""

from pathlib import Path

import pytest
from tests.wire.kill_sweep import every_owed_site_of

pytestmark = [pytest.mark.wire, pytest.mark.nightly, pytest.mark.timeout(3_400)]


@pytest.mark.parametrize("state", ["READY", "ACTIVE", "THROTTLED", "PAUSED", "DEGRADED", "EMERGENCY", "STOPPING"])
def test_killed_at_each_call_site_that_takes_an_arranged_scene(tmp_path: Path, state: str) -> None:
    every_owed_site_of(tmp_path, state)
