"""Which version of the code ran."""

import subprocess
from pathlib import Path


def commit_of(folder: Path) -> str | None:
    """The commit of a checkout, with a plus sign where tracked files differ from it; None where there is none."""

    def git(*arguments: str) -> str:
        # The checkout may belong to another user, as in a container.
        command = ("git", "-c", "safe.directory=*", "-C", str(folder), *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
