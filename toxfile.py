"""Lets tox find each Python of a pyenv: its shims answer only for the versions that are chosen."""

import os
import shutil
import subprocess

if shutil.which("pyenv") and "PYENV_VERSION" not in os.environ:
    listed = subprocess.run(
        ["pyenv", "versions", "--bare", "--skip-aliases"],
        capture_output=True,
        text=True,
        check=False,
    )
    chosen = subprocess.run(["pyenv", "version-name"], capture_output=True, text=True, check=False)
    # The chosen version first: it is the one that `python3` goes on to mean.
    names = [*chosen.stdout.strip().split(":"), *listed.stdout.split()]
    threes = [name for name in dict.fromkeys(names) if name.startswith("3.")]
    if threes:
        os.environ["PYENV_VERSION"] = ":".join(threes)
