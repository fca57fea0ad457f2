"""How Sphinx builds the pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

project = "smartcollect"
copyright = "the smartcollect developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "smartcollect"
exclude_patterns = ["_build", "_generated"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
default_role = "code"
smartquotes = False  # which makes a dash of the two before an option


def _options() -> str:
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
    """A row of a table for each field of a JSON Schema."""
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


def _limits() -> str:
    """The statistics that a budget can limit."""
    from smartcollect.profiles import LIMITED, STATISTICS

    rows = [f"| `{field}` | {STATISTICS[field].description} |" for field in LIMITED]
    return "\n".join(["| statistic | meaning |", "|---|---|", *rows]) + "\n"


def _report() -> str:
    from smartcollect.profiles import schema

    whole = schema()
    rows = _fields(whole, whole["$defs"])
    return "\n".join(["| field | meaning |", "|---|---|", *rows]) + "\n"


generated = Path(__file__).parent / "_generated"
generated.mkdir(exist_ok=True)
(generated / "options.md").write_text(_options(), "utf-8")
(generated / "limits.md").write_text(_limits(), "utf-8")
(generated / "report.md").write_text(_report(), "utf-8")
