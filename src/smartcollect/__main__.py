"""The entry point of the command ``smartcollect``, also as ``python -m smartcollect``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and exit with its status."""
    try:
        from .command import smartcollect
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit(_refused(str(error)))
    smartcollect(prog_name="smartcollect")


def _refused(why: str) -> int:
    print(f"smartcollect: error: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
