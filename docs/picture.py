"""Draws what pytest says of the shop: ``python docs/picture.py`` makes ``docs/summary.svg``."""

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).parent.parent
OPTIONS = ("--smartcollect", "--smartcollect-slowest=1")


def summary() -> str:
    """The summary as a terminal gets it, colours included."""
    printed = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *OPTIONS, "--color=yes"),
            *("-p", "no:cacheprovider", "-p", "no:warnings"),
        ],
        cwd=ROOT / "examples/shop",
        env={**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout
    return printed[printed.rindex("\n", 0, printed.index("= smartcollect =")) + 1 :].rstrip()


def picture(ansi: str) -> str:
    """An SVG of what the terminal shows, in any monospaced font."""
    shown = Text.from_ansi(f"$ pytest {' '.join(OPTIONS)}\n{ansi}")
    width = max(len(line) for line in shown.plain.splitlines())
    console = Console(record=True, width=width, file=StringIO())
    console.print(shown)
    svg = console.export_svg(title="examples/shop", theme=MONOKAI, unique_id="summary")
    # A picture in a repository loads nothing from elsewhere.
    svg = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", svg, flags=re.S)
    return svg.replace("Fira Code,", "")


if __name__ == "__main__":
    (ROOT / "docs/summary.svg").write_text(picture(summary()), "utf-8")
