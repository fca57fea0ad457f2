"""The git revision of the measured code."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

_PATIENCE = 10.0
# CI systems check out a commit and not a branch: these variables hold the branch.
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
        commit: the full hash of the commit.
        branch: the branch that was checked out, or that a CI system tests; ``""`` if unknown.
        dirty: True if tracked files differ from the commit.
    """

    commit: str
    branch: str
    dirty: bool


def revision(folder: Path) -> Revision | None:
    """Return the revision that is checked out in a folder.

    Args:
        folder: a folder of the working tree.

    Returns:
        The revision, or ``None`` if git is not installed, fails, or has no commit.

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
