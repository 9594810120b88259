"""Figures inside the page: the vector drawings themselves, as data."""

import base64
from html import escape
from pathlib import Path

from linkbert.errors import UserError


def figure(path: Path, caption: str, alternative: str) -> str:
    """A drawing with its caption; on a narrow screen it keeps a readable size and pans."""
    try:
        drawing = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such figure.") from None
    data = base64.b64encode(drawing).decode()
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure><div class="pan" tabindex="0" role="region" aria-label="{escape(alternative)}">'
        f'<img alt="{escape(alternative)}" src="data:image/svg+xml;base64,{data}"></div>{below}</figure>'
    )
