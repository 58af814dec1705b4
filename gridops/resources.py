"""The only code that knows where bundled fixtures and runbooks live."""

from pathlib import Path

from gridops.errors import BundledDataMissing

_PACKAGE = Path(__file__).resolve().parent


def data_root() -> Path:
    """Folder that holds `fixtures/` and `runbooks/`: inside the wheel, or the checkout.

    The marker check matters: without it a broken wheel would look for `fixtures/` in site-packages, where another
    library lives.
    """
    bundled, checkout = _PACKAGE / "_data", _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "fixtures").is_dir():
        return checkout
    if bundled.is_dir():
        return bundled
    raise BundledDataMissing(f"no fixtures beside {_PACKAGE}", hint="reinstall gridops-cli")


def fixture(name: str) -> Path:
    """Path of a bundled fixture, by its path below `fixtures/`. BundledDataMissing when it is not there."""
    path = data_root() / "fixtures" / name
    if not path.exists():
        raise BundledDataMissing(f"the fixture {name} is missing from {path.parent}", hint="reinstall gridops-cli")
    return path
