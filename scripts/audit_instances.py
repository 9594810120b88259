r"""Prove that instances are what they claim; exit with 1 where a property fails.

Example:
    python scripts/audit_instances.py --tokens results/demo/tokens/wiki/wiki \
        --graph results/demo/graphs/wiki/hyperlink \
        --instances results/demo/instances/wiki/wiki/linked --tokenizer results/demo/tokenizers/wiki
"""

import argparse
import sys
from pathlib import Path

from linkbert.command import run
from linkbert.files import write_text
from linkbert.instances.audit import audit, audit_report


def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--graph", type=Path, help="the graph that the instances were sampled with")
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, help="also check masking")
    parser.add_argument("--report", type=Path, help="write the report here as well")
    options = parser.parse_args(arguments)
    checks = audit(options.tokens, options.instances, options.graph, options.tokenizer)
    text = audit_report(checks)
    sys.stdout.write(text)
    if options.report:
        write_text(options.report, text)
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    run(main)
