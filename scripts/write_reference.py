"""The reference of the command line, from the commands themselves: `scripts/write_reference.py [--check]`.

Writes `docs/cli.md` (every command's help, as it prints it) and `docs/gridops.1` (the man page). Equal commands give
equal bytes on every machine; with `--check` it writes nothing and exits 1 where a file is not what it would write.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.update(TERMINAL_WIDTH="100", COLUMNS="100", _TYPER_FORCE_DISABLE_TERMINAL="1")
for _name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "CLICOLOR_FORCE"):
    os.environ.pop(_name, None)

from gridops import __version__  # noqa: E402

from gridops_cli.app import root_command  # noqa: E402

DOCS = Path(__file__).resolve().parents[1] / "docs"
INTRO = """# Command line

Written by `scripts/write_reference.py` from the commands themselves; a test holds it against them. Change a command's
help, then run `make reference`. In a terminal `gridops COMMAND --help` says the same, and so does `man gridops` once a
wheel is installed.

Completion: `gridops --install-completion` for bash, zsh, fish or PowerShell; `gridops --show-completion` prints the
script instead, for a shell whose start-up files you keep by hand.
"""
EXITS = (
    ("0", "all is as asked"),
    ("1", "a finding: it worked, and something is wrong"),
    ("2", "a word, a setting or a file is refused"),
    ("3", "the venue cannot be reached or refuses"),
    ("4", "refused by a gate, a lock or the engine's state"),
    ("5", "evidence or journal cannot be read or written"),
    ("70", "a bug; its traceback is in the bundle"),
    ("130", "interrupted"),
)
ENVIRONMENT = (
    ("GRIDOPS_HOME", "the home folder, else .gridops here or above"),
    ("GRIDOPS_EVIDENCE_DIR", "the root of evidence, else evidence here"),
    ("GRIDOPS_API_KEY, GRIDOPS_API_SECRET", "the account's keys; they are taken out when read"),
    ("CREDENTIALS_DIRECTORY", "a folder with gridops_api_key and gridops_api_secret, as systemd gives one"),
    ("GRIDOPS_SECTION__KEY", "any setting, such as GRIDOPS_GRID__LEVELS=5"),
    ("NOTIFY_SOCKET, WATCHDOG_USEC", "a service manager that wants to hear that we are ready and alive"),
)
FILES = (
    ("gridops.toml", "settings, in the working directory or beside the home"),
    (".gridops/", "journal, lease, control socket, latch, log and paper venue of each account"),
    ("evidence/", "one folder a finding, each with its sums; index.jsonl chains them"),
)


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """(words, command, context) of every command below the root, groups before their members."""
    context = command.context_class(command, info_name=" ".join(("gridops", *path)), max_content_width=100)
    if path:
        yield path, command, context
    for name in command.list_commands(context) if hasattr(command, "list_commands") else []:
        yield from walk(command.get_command(context, name), (*path, name))


def markdown() -> str:
    """`docs/cli.md`."""
    root = root_command()
    parts = [INTRO, *_section("gridops", root, root.context_class(root, info_name="gridops", max_content_width=100))]
    for path, command, context in walk(root):
        parts += _section(" ".join(("gridops", *path)), command, context)
    return "\n".join(parts).rstrip() + "\n"


def _section(title: str, command: Any, context: Any) -> list[str]:
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return [f"## {title}", "", "```text", text, "```", ""]


def manual() -> str:
    """`docs/gridops.1`, in the macros of man(7)."""
    root = root_command()
    lines = [
        r".\" Written by scripts/write_reference.py from the commands themselves.",
        f'.TH GRIDOPS 1 "" "gridops {__version__}" "User Commands"',
        ".SH NAME",
        r"gridops \- run a futures grid bot, see why it is not trading, repair it, prove what happened",
        ".SH SYNOPSIS",
        r".B gridops",
        r".I command",
        "[options]",
        ".SH DESCRIPTION",
        *_paragraphs(root.help),
        ".PP",
        "Standard output is data, standard error is narration. With",
        r".B \-\-json",
        "the data is one document with a schema. Every command ends with a line that names its evidence.",
        ".SH OPTIONS",
        *_told(root, root.context_class(root, info_name="gridops", max_content_width=100)),
        ".SH COMMANDS",
    ]
    for path, command, context in walk(root):
        lines += [".SS " + _roff(" ".join(("gridops", *path))), *_paragraphs(command.help or "")]
        lines += _told(command, context)
    for title, rows in (("EXIT STATUS", EXITS), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        lines.append(f".SH {title}")
        for name, told in rows:
            lines += [".TP", rf".B {_roff(name)}", _roff(told)]
    lines += [
        ".SH COMPLETION",
        r".B gridops \-\-install\-completion",
        "sets it up for the shell in use.",
        ".SH SEE ALSO",
        r"\fBgridops triage\fR, where to begin when something is wrong; \fBgridops runbook\fR \fINAME\fR, what to do.",
    ]
    return "\n".join(lines) + "\n"


def _told(command: Any, context: Any) -> list[str]:
    """Its options and arguments, a tagged paragraph each."""
    found = [param.get_help_record(context) for param in command.get_params(context)]
    rows = [(names, " ".join(told.split())) for names, told in (each for each in found if each)]
    return [line for names, told in rows for line in (".TP", rf".B {_roff(names)}", _roff(told) or r"\&")]


def _paragraphs(text: str) -> list[str]:
    parts = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]
    return [line for part in parts for line in (".PP", _roff(part))]


def _roff(text: str) -> str:
    """Text that no macro reads: backslashes and hyphens as they are typed, no control character at a line's start."""
    safe = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{safe}" if safe[:1] in (".", "'") else safe


PAGES = {"cli.md": markdown, "gridops.1": manual}


def main(words: list[str]) -> int:
    """Write, or compare."""
    stale = []
    for name, made in PAGES.items():
        file, text = DOCS / name, made()
        if "--check" in words:
            if not file.is_file() or file.read_text("utf-8") != text:
                stale.append(name)
        else:
            file.write_text(text, "utf-8")
    for name in stale:
        print(f"docs/{name} is not what the commands say: run `make reference`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
