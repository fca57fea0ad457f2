"""The command ``smartcollect``, which works on report files and needs no pytest."""

try:
    import click
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}; install smartcollect[command]", name=error.name) from None

from .check import check
from .combine import combine
from .compare import compare
from .history import history
from .open import open_report
from .program import Program
from .show import show


@click.group(
    "smartcollect",
    cls=Program,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="smartcollect", prog_name="smartcollect")
def smartcollect() -> None:
    """Combine, show, compare and check reports that pytest has written.

    Exit status: 0 for success, 1 if a report fails a check, 2 if the command cannot run, such as
    for a wrong option or an unreadable file.
    """


for command in (combine, show, compare, check, history, open_report):
    smartcollect.add_command(command)
