"""One sdist, one wheel and one fresh environment for all tests of the package."""

import sysconfig
import tarfile
from pathlib import Path

import pytest
from tests.packaging.kit import ROOT, build, new_environment, pip


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    return build(source, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in a fresh environment; its dependencies are borrowed from the one that runs the tests.

    A plain path line makes their modules importable and takes no notice of the editable install beside them.
    """
    python = new_environment(tmp_path_factory.mktemp("fresh") / "venv")
    pip(python, "--no-deps", "--no-index", str(wheel))
    (site,) = (python.parent.parent / "lib").glob("python3*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python.parent / "gridops"
