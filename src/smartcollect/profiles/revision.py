"""The revision of the code that was measured, as git tells it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

_PATIENCE = 10.0
# CI systems check out a commit, not a branch, and tell the branch beside it.
_BRANCHES = (
    "GITHUB_HEAD_REF",
    "GITHUB_REF_NAME",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
    "CI_COMMIT_REF_NAME",
    "BUILDKITE_BRANCH",
    "CIRCLE_BRANCH",
    "TRAVIS_BRANCH",
    "BRANCH_NAME",
)


class Revision(NamedTuple):
    """A revision of code.

    Attributes:
        commit: its full hash.
        branch: the branch that was checked out, or that a CI system says it tests; ``""`` where
            nobody says.
        dirty: whether files that git knows differ from the commit.
    """

    commit: str
    branch: str
    dirty: bool


def revision(folder: Path) -> Revision | None:
    """Return the revision that is checked out in a folder; ``None`` where git does not tell.

    Args:
        folder: any folder of the working tree.

    Example:
        >>> revision(Path("/")) is None
        True
    """
    command = [
        "git",
        "--no-optional-locks",
        "status",
        "--porcelain=v2",
        "--branch",
        "--untracked-files=no",
    ]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    commit = branch = ""
    dirty = False
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("# branch.oid "):
            commit = line.removeprefix("# branch.oid ")
        elif line.startswith("# branch.head "):
            branch = line.removeprefix("# branch.head ")
        elif not line.startswith("#"):
            dirty = True
    if commit in ("", "(initial)"):
        return None
    if branch == "(detached)":
        branch = next(filter(None, map(os.environ.get, _BRANCHES)), "")
    return Revision(commit, branch, dirty)
