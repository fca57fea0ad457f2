"""The HTML report of a run: one file that loads nothing else and is readable without JavaScript.

Names and messages in a report are untrusted. Templates escape all text, including control and
bidirectional characters. The script inserts text only as text. A Content-Security-Policy with
hashes blocks all other styles and scripts.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from ...profiles.profile import Profile
from ...profiles.trend import Trend
from ...profiles.verdict import Expectations, Verdict
from ...text import printable
from .handlers import HandlerPages
from .material import Material
from .page import Page
from .tests import packed

if TYPE_CHECKING:
    import jinja2

MISSING = "No module named 'jinja2'; install smartcollect[html]"
_TEMPLATES = "templates"


def html(
    profile: Profile,
    verdict: Verdict | None = None,
    *,
    expectations: Expectations | None = None,
    trends: Sequence[Trend] = (),
    compared_with: Sequence[str] = (),
) -> str:
    """Return the report of a run as an HTML page.

    Args:
        profile: the profile of the run.
        verdict: the verdict on the run. Without one, the page says that the run was not judged.
        expectations: the expectations behind the verdict. The page shows their budgets. Without
            any, the page says that nothing was judged.
        trends: the trends of handlers over the last runs, as `History.trend` returns them.
        compared_with: the names to show for the baseline of the verdict's comparison.

    Returns:
        The text of the page.

    Raises:
        ModuleNotFoundError: Jinja2 is missing; install ``smartcollect[html]``.

    Example:
        ``Path("report.html").write_text(html(load("profile.json")), "utf-8")``
    """
    template = _template()
    from markupsafe import Markup

    judged_by = Expectations() if expectations is None else expectations
    material = Material(profile, verdict, judged_by, trends, compared_with)
    labels = material.labels()
    style, script = _file("report.css"), _file("report.js")
    return template.render(
        page=Page(material, labels),
        labels=labels,
        handlers=HandlerPages(material, labels),
        tests=packed(profile, labels),
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
    )


@cache
def _template() -> jinja2.Template:
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(MISSING, name=error.name) from None
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_readable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja")


def _file(name: str) -> str:
    text = resources.files(__package__).joinpath(_TEMPLATES, name).read_text("utf-8")
    # Browsers hash the text without carriage returns.
    return text.replace("\r\n", "\n").strip()


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _readable(value: Any) -> Any:
    """Return text with invisible and bidirectional characters escaped."""
    if type(value) is str and not value.isprintable():
        return printable(value)
    return value
