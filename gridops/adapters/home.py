"""Where an operator's files are: which home is meant, what stands where in it, and which engines run on this machine.

A home belongs to one user and is closed to others. Nothing is searched silently: every answer says how it was found,
so that no account is called dead in a home that nobody named. It opens no journal and takes no lease.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from gridops.adapters.lease_file import boot_id, start_ticks
from gridops.domain.values import record, value
from gridops.errors import ConfigError, Refused

FOLDER = ".gridops"
SOCKET_PATH_BYTES = 100
"""The kernel takes 107; the rest is room for the suffix of a temporary name."""
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_MAX_NOTE = 16_384


@value
class Home:
    """The folder of one operator: journals, leases, sockets, latches, logs, paper venues. Paths only."""

    root: Path

    def journal(self, account: str) -> Path:
        return self.root / f"{_checked(account)}.journal.db"

    def lease(self, account: str) -> Path:
        return self.root / f"{_checked(account)}.lease"

    def reserve(self, account: str) -> Path:
        return self.root / f"{_checked(account)}.reserve"

    def kill_latch(self, account: str) -> Path:
        return self.root / f"{_checked(account)}.kill"

    def paper_venue_dir(self, account: str) -> Path:
        return self.root / "paper" / _checked(account)

    @property
    def log_dir(self) -> Path:
        return self.root / "log"

    @property
    def cache_dir(self) -> Path:
        return self.root / "cache"

    def control_socket(self, account: str, environment: Mapping[str, str] | None = None) -> Path:
        """The engine's socket: beside the journal, or in the runtime folder when that path is too long for one."""
        path = self.root / f"{_checked(account)}.sock"
        if len(os.fsencode(path.absolute())) <= SOCKET_PATH_BYTES:
            return path
        named = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:20]
        return _runtime_folder(os.environ if environment is None else environment) / f"{named}.sock"

    def ensure(self) -> "Home":
        """Create the folders, closed to others. ConfigError when they cannot be had."""
        for folder in (self.root, self.log_dir, self.cache_dir, self.root / "paper"):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(f"home {self.root} cannot be made: {error.strerror}", hint="give --home") from error
        if self.root.stat().st_mode & 0o077:
            self.root.chmod(0o700)
        return self

    def accounts(self) -> tuple[str, ...]:
        """Accounts that left a journal or a lease here, by name."""
        with contextlib.suppress(OSError):
            names = {entry.name.partition(".") for entry in os.scandir(self.root)}
            found = {name for name, _, rest in names if rest in ("journal.db", "lease")}
            return tuple(sorted(name for name in found if _ACCOUNT.fullmatch(name)))
        return ()


@record
class Located:
    """A home and how it was found: `option`, `environment`, `search`, `running engine` or `default`."""

    home: Home
    source: str

    def __str__(self) -> str:
        return f"{self.home.root} ({self.source})"


@record
class RunningEngine:
    """An engine as it registered itself; `alive` was checked by pid, start time and boot."""

    pid: int
    start_ticks: int
    boot_id: str
    home: Path
    account: str
    since_ms: int
    alive: bool


def resolve(
    option: str | Path | None, environment: Mapping[str, str], cwd: Path, *, for_start: bool = False
) -> Located:
    """The home meant: option, GRIDOPS_HOME, `.gridops` here or above, the one running engine's, else the default.

    `for_start` never adopts a running engine's home. ConfigError when several engines run and none is named.
    """
    if option is not None and str(option):
        return Located(home=Home(cwd / option), source="--home")
    if environment.get("GRIDOPS_HOME"):
        return Located(home=Home(cwd / environment["GRIDOPS_HOME"]), source="GRIDOPS_HOME")
    for folder in (cwd, *cwd.parents):
        if _is_ours(folder / FOLDER):
            return Located(home=Home(folder / FOLDER), source="found at or above the working directory")
    homes = [] if for_start else sorted({each.home for each in running(environment) if each.alive})
    if len(homes) > 1:
        listed = ", ".join(str(each) for each in homes)
        raise ConfigError(f"engines run in several homes: {listed}", hint="say which with --home")
    if homes:
        return Located(home=Home(homes[0]), source="home of the running engine")
    return Located(home=Home(cwd / FOLDER), source="default")


def register(
    home: Home, account: str, *, since_ms: int, environment: Mapping[str, str], pid: int | None = None
) -> Path:
    """Note in the user's state folder that this engine runs; returns the note. ConfigError if it cannot be written."""
    pid = os.getpid() if pid is None else pid
    folder = registry(environment)
    content = {
        "pid": pid,
        "start_ticks": start_ticks(pid),
        "boot_id": boot_id(),
        "home": str(home.root.absolute()),
        "account": _checked(account),
        "since_ms": since_ms,
    }
    note = folder / f"{pid}.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = note.with_suffix(".new")
        unfinished.write_text(json.dumps(content, sort_keys=True) + "\n", "utf-8")
        os.replace(unfinished, note)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}", hint="set XDG_STATE_HOME") from error
    return note


def unregister(note: Path) -> None:
    """Take the note away. Idempotent, never raises."""
    with contextlib.suppress(OSError):
        note.unlink()


def running(environment: Mapping[str, str]) -> tuple[RunningEngine, ...]:
    """Engines that registered, oldest first; notes that cannot be read are passed over."""
    found = []
    with contextlib.suppress(OSError):
        for note in sorted(registry(environment).glob("*.json")):
            engine = _read_note(note)
            if engine is not None:
                found.append(engine)
    return tuple(sorted(found, key=lambda each: (each.since_ms, each.pid)))


def registry(environment: Mapping[str, str]) -> Path:
    """Folder of the notes: `$XDG_STATE_HOME/gridops/running`."""
    state = environment.get("XDG_STATE_HOME") or ""
    base = Path(state) if state.startswith("/") else Path(environment.get("HOME") or Path.home()) / ".local" / "state"
    return base / "gridops" / "running"


def _read_note(note: Path) -> RunningEngine | None:
    try:
        with note.open("rb") as file:
            said = json.loads(file.read(_MAX_NOTE))
        pid, started, boot = int(said["pid"]), int(said["start_ticks"]), str(said["boot_id"])
        alive = boot == boot_id() and started > 0 and start_ticks(pid) == started
        home, account, since_ms = Path(said["home"]), str(said["account"]), int(said["since_ms"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return RunningEngine(
        pid=pid, start_ticks=started, boot_id=boot, home=home, account=account, since_ms=since_ms, alive=alive
    )


def _checked(account: str) -> str:
    if _ACCOUNT.fullmatch(account) is None:
        raise ConfigError(
            f"account {account[:60]!r} is no account name",
            hint="1 to 32 of a-z, 0-9, _ and -, beginning with a letter or digit",
        )
    return account


def _is_ours(folder: Path) -> bool:
    """A home above the working directory counts only when it is a real folder of this user: /tmp is everybody's."""
    try:
        about = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()


def _runtime_folder(environment: Mapping[str, str]) -> Path:
    given = environment.get("XDG_RUNTIME_DIR") or ""
    folder = Path(given) / "gridops" if given.startswith("/") else Path(f"/tmp/gridops-{os.getuid()}")  # noqa: S108
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror}", hint="choose a shorter --home") from error
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise Refused(f"{folder} is not a folder of ours alone", hint="remove it, or choose a shorter --home")
    return folder
