"""Common parts of all commands: one-line errors, the exit status, and printing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from ..reports.terminal import Line

BAD, WRONG, INTERRUPTED = 1, 2, 130
"""Exit statuses: a report fails a check, the command cannot run, and Ctrl-C."""
_STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True},
    "warning": {"fg": "yellow"},
    "failure": {"fg": "red", "bold": True},
}


class Refused(click.ClickException):
    """An error that stops the command, printed as one line."""

    exit_code = WRONG


class Program(click.Group):
    """A group of commands that prints each error as one line."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit with the status that it returns; see `click.Command.main`."""

        def run() -> Any:
            return super(Program, self).main(args, prog_name, complete_var, False, **extra)

        if not standalone_mode:
            return run()
        if sys.stdout is None:
            fail("the output is closed; redirect it, such as > /dev/null")
        try:
            status = run()
        except click.UsageError as error:
            where = "" if error.ctx is None else f"; see {error.ctx.command_path} --help"
            fail(f"{error.format_message().removesuffix('.')}{where}")
        except click.ClickException as error:
            fail(error.format_message())
        except click.Abort:
            sys.exit(INTERRUPTED)
        except OSError as error:
            # Commands handle errors of files themselves, so this error is about the output.
            _write_nowhere()
            fail(f"{error.filename or 'the output'}: {error.strerror}")
        sys.exit(status if isinstance(status, int) else 0)


def fail(message: str) -> NoReturn:
    """Print an error and exit with status 2."""
    warn(f"error: {message}")
    sys.exit(WRONG)


def warn(message: str) -> None:
    """Print a line to standard error, apart from the output of the command."""
    from ..text import one_line

    click.echo(f"smartcollect: {one_line(' '.join(message.split()))}", err=True)


def say(text: str, tone: str = "") -> None:
    """Print a line, in color on a terminal.

    Args:
        text: the line.
        tone: the tone, as in `smartcollect.reports.terminal.Line`.
    """
    from ..text import encodable, one_line

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    _print(_styled(encodable(one_line(text), encoding), tone) + "\n")


def say_all(lines: Iterable[Line]) -> None:
    """Print lines from `smartcollect.reports.terminal.lines`."""
    _print("".join([f"{_styled(line.text, line.tone)}\n" for line in lines]))


def say_document(pieces: Iterable[str]) -> None:
    """Print a document in UTF-8, regardless of the encoding of the terminal."""
    try:
        for piece in pieces:
            sys.stdout.buffer.write(piece.encode())
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader has stopped, but the command goes on to its exit status.
        _write_nowhere()


def _styled(text: str, tone: str) -> str:
    # click removes colors if the output is not a terminal.
    style = {} if os.environ.get("NO_COLOR") else _STYLES.get(tone, {})
    return click.style(text, **style) if style else text


def _print(text: str) -> None:
    try:
        click.echo(text, nl=False)
    except BrokenPipeError:
        # The reader has stopped, but the command goes on to its exit status.
        _write_nowhere()


def _write_nowhere() -> None:
    """Discard all further output, including buffered text."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
