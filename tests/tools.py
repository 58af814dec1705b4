"""Programs that some tests need and that no Python package brings: found on the path, or unpacked beside it."""

import os
import shutil

import pytest

FOLDER = "TEST_TOOLS"
"""An environment variable: a folder with more programs, such as those of the Debian package `prometheus`."""


def tool(name: str) -> str:
    """The program's path; the test is skipped, saying so, where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path=os.environ.get(FOLDER, ""))
    if found is None:
        pytest.skip(f"{name} is not installed: Debian packages prometheus and prometheus-alertmanager")
    return found
