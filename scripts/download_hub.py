"""Download a model or a data set of the Hugging Face hub at a pinned revision, or from a mirror, into one folder.

Example: python scripts/download_hub.py --repository michiyasunaga/LinkBERT-base --kind model \\
    --revision 0123456789abcdef0123456789abcdef01234567 --output results/hub/LinkBERT-base
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.downloads.hub import PATTERNS, download_hub


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", required=True, help="org/name, or file:///folder")
    parser.add_argument("--revision", required=True, help="the 40 digits of a commit")
    parser.add_argument("--kind", required=True, choices=sorted(PATTERNS))
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--mirror", help="take <mirror>/hub/<org>/<name>/ instead: http(s)://, file://, a folder")
    parser.add_argument("--checksums", help="SHA256SUMS (path or URL) with names relative to the mirror")
    parser.add_argument("--allow-branch", action="store_true", help="accept a revision that can move, such as main")
    options = parser.parse_args(arguments)
    download_hub(
        options.repository,
        options.revision,
        options.kind,
        options.output,
        mirror=options.mirror,
        checksums=options.checksums,
        allow_branch=options.allow_branch,
    )


if __name__ == "__main__":
    run(main)
