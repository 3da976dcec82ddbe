"""The AWS CLIs of this machine."""

import contextlib
import os
import shutil
import subprocess


def installed() -> dict:
    """The first AWS CLI of each major version in PATH, by what it calls itself. Says which one is missing."""
    found = {}
    # A virtual environment hides the CLI of version 2 that the system has.
    for folder in [*os.environ["PATH"].split(os.pathsep), "/usr/local/bin", "/usr/bin"]:
        program = shutil.which("aws", path=folder)
        if program is None:
            continue
        with contextlib.suppress(OSError):
            ran = subprocess.run([program, "--version"], capture_output=True, text=True)
            version = (ran.stdout or ran.stderr).split()
            if ran.returncode == 0 and version:
                found.setdefault(version[0].split(".")[0], (version[0], program))
    for major in ("aws-cli/1", "aws-cli/2"):
        if major not in found:
            print(f"skipped: there is no {major}", flush=True)
    return dict(found.values())
