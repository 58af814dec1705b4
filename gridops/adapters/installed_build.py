"""Whether the code that runs is the build that was installed: its version, its place, and every file by its digest.

Read from the record an installer leaves beside a wheel. A source tree and an editable install have no such record of
their files; of those only the version is compared. It reads, and repairs nothing.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from gridops import __version__
from gridops.errors import Refused

DISTRIBUTION = "gridops-cli"
PACKAGES = ("gridops", "gridops_cli")
ROOT = Path(__file__).resolve().parents[2]


def check() -> None:
    """Refused when what runs is not what was installed."""
    wrong = wrong_part()
    if wrong:
        raise Refused(
            f"the code that runs is not the installed build: {wrong}",
            hint="install it anew, into an environment of its own",
        )


def wrong_part(root: Path = ROOT, version: str = __version__) -> str:
    """What of the running code is not of the installed build, in words; empty when nothing is, or none is installed."""
    try:
        found = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return ""
    if found.version != version:
        return f"version {found.version} is installed, and version {version} runs"
    return _foreign_file(found, root)


def _foreign_file(found: Distribution, root: Path) -> str:
    recorded = [file for file in found.files or () if file.parts[0] in PACKAGES and file.suffix == ".py" and file.hash]
    for file in recorded:
        installed = Path(str(found.locate_file(file))).resolve()
        if not installed.is_relative_to(root):
            return f"{root} runs, and the installed build lies in {installed.parents[len(file.parts) - 1]}"
        try:
            digest = urlsafe_b64encode(sha256(installed.read_bytes()).digest()).rstrip(b"=").decode()
        except OSError:
            return f"{file} is missing"
        if file.hash is not None and digest != file.hash.value:
            return f"{file} is not the file that was installed"
    return ""
