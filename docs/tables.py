"""Write the tables of the reference that are made from the code.

Run ``python docs/tables.py`` after you change the options, the statistics or the schema of reports.
The tables are in the pages themselves, so that you can read these without building the manual.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parent / "reference"


def options() -> str:
    """Return the table of options, made from their definitions."""
    from smartcollect_pytest.options import OPTIONS

    lines = ["| option | ini key | default | what it does |", "|---|---|---|---|"]
    lines.append("| `--smartcollect` | `smartcollect` | off | Profile the run, print the summary |")
    lines.append("| `--no-smartcollect` | | | Turn off the profile, budgets and markers |")
    for option in OPTIONS:
        value = f"={option.metavar}" if option.metavar else ""
        default = (
            f"`{option.shown_default}`" if option.shown_default else "" if option.metavar else "off"
        )
        more = " (can be repeated; one per line in the ini file)" if option.many else ""
        help = option.help.replace("%%", "%").replace("*", "\\*").replace("<", "\\<")
        lines.append(f"| `{option.flag}{value}` | `{option.key}` | {default} | {help}{more} |")
    return "\n".join(lines) + "\n"


def _fields(schema: dict[str, Any], definitions: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield a row of a table for each field of a JSON Schema."""
    for name, field in schema["properties"].items():
        referred = definitions.get(str(field.get("$ref", "")).rpartition("/")[2], {})
        whole = {**referred, **field}
        for option in whole.get("anyOf", ()):
            whole = {**option, **whole} if "properties" in option else whole
        text = whole.get("description", "").replace("*", "\\*")
        here = f"{path}.{name}" if path else name
        items = whole.get("items")
        here += "[]" if isinstance(items, dict) else ""
        yield f"| `{here}` | {text} |"
        if isinstance(items, dict):
            items = definitions.get(str(items.get("$ref", "")).rpartition("/")[2], items)
        more = whole.get("additionalProperties")
        for inner, below in ((whole, here), (items, here), (more, f"{here}.*")):
            if isinstance(inner, dict) and "properties" in inner:
                yield from _fields(inner, definitions, below)


def limits() -> str:
    """Return the table of the statistics that a budget can limit."""
    from smartcollect.profiles import LIMITED, STATISTICS

    rows = [f"| `{field}` | {STATISTICS[field].description} |" for field in LIMITED]
    return "\n".join(["| statistic | meaning |", "|---|---|", *rows]) + "\n"


def report() -> str:
    """Return the table of the fields of a JSON report."""
    from smartcollect.profiles import schema

    whole = schema()
    rows = _fields(whole, whole["$defs"])
    return "\n".join(["| field | meaning |", "|---|---|", *rows]) + "\n"


TABLES = {"options.md": options, "budgets.md": limits, "report.md": report}


def with_table(page: str) -> str:
    """Return the text of a page of the reference, with its table as the code makes it now."""
    text = (REFERENCE / page).read_text("utf-8")
    table = f"<!-- table -->\n\n{TABLES[page]()}\n<!-- end of table -->"
    return re.sub("<!-- table -->.*<!-- end of table -->", lambda _: table, text, flags=re.S)


if __name__ == "__main__":
    for page in TABLES:
        (REFERENCE / page).write_text(with_table(page), "utf-8")
