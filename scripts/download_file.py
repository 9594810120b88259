"""Download one declared file: resumed, retried, verified, atomic. From http(s), file:// or a path, or from a mirror.

Example: python scripts/download_file.py --url https://example.org/enwiki.xml.bz2 --output results/enwiki.xml.bz2
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.downloads.download import Expected, download


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="http(s)://, file://, or a path")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--sha256", help="expected SHA-256")
    parser.add_argument("--md5", help="expected MD5, where the publisher has nothing better")
    parser.add_argument("--md5-url", help="the publisher's .md5 companion of the file")
    parser.add_argument("--bytes", type=int, help="expected size")
    parser.add_argument(
        "--mirror", help="take <mirror>/<name of output> instead of the URL: http(s)://, file://, a folder"
    )
    parser.add_argument("--checksums", help="SHA256SUMS (path or URL) that replaces all other expectations")
    options = parser.parse_args(arguments)
    download(
        options.url,
        options.output,
        Expected(options.sha256, options.md5, options.bytes),
        mirror=options.mirror,
        checksums=options.checksums,
        md5_url=options.md5_url,
    )


if __name__ == "__main__":
    run(main)
