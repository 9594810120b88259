"""What every script shares: argument types, a sentence instead of a traceback, an exit status."""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linkbert.errors import UserError


def json_or_file(text: str) -> Any:
    """An argument that is a JSON value, or the path of a file that holds one."""
    try:
        return json.loads(text if text.lstrip()[:1] in "{[" else Path(text).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise argparse.ArgumentTypeError(f"neither JSON nor a readable JSON file: {text!r} ({error})") from None


def pair(text: str) -> tuple[str, Path]:
    """An argument of the form ``name=path``."""
    name, equals, path = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected name=path, found {text!r}")
    return name, Path(path)


def run(main: Callable[[list[str] | None], int | None]) -> None:
    """Call `main` and exit: 0, its own status, or 1 with one clear sentence for a UserError."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        status = main(None)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    sys.exit(status or 0)
