"""Lets tox find each Python of a pyenv, whose shims answer for the chosen versions only."""

import os
import shutil
import subprocess
from pathlib import Path

if shutil.which("pyenv"):
    root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True)
    # Behind what is on the path already, so that nothing that is found today changes.
    found = sorted(map(str, Path(root.stdout.strip(), "versions").glob("3.*/bin")))
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *found])
