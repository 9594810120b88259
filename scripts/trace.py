"""Print where a number of a table comes from, back to the checksums of the downloads; or the job that will make it.

    python scripts/trace.py table5 linkbert-tiny hotpotqa --configfile config/demo.yaml
    python scripts/trace.py table5_ablation linkbert-tiny hotpotqa --scores demo-scores.zip

With --scores everything is read from an archive of `snakemake export_scores`, its configuration too.
"""

import argparse
import tempfile
from pathlib import Path

from linkbert.command import run
from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.evidence.archive import open_archive
from linkbert.evidence.chain import chains
from linkbert.evidence.trace import trace
from linkbert.planning.plan import Plan

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", metavar="TABLE", help="a table, such as table5_ablation or table5")
    parser.add_argument("model", metavar="MODEL", help="one of its rows")
    parser.add_argument("task", metavar="TASK", help="one of its columns")
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], help="as given to Snakemake")
    parser.add_argument("--scores", type=Path, metavar="FILE", help="an archive of scores, to read instead of results")
    options = parser.parse_args(arguments)

    cell = (options.table, options.model, options.task)
    files = " ".join(str(path) for path in options.configfile)
    command = f"snakemake --cores 1 --configfile {files} --" if files else "snakemake --cores 1"
    if not options.scores:
        plan = Plan(load_configuration([*(ROOT / name for name in CONFIGURATION), *options.configfile]), ROOT)
        found = chains(plan, *cell)
    else:
        archive = open_archive(options.scores)
        plan = Plan(archive.config, ROOT)
        with tempfile.TemporaryDirectory() as folder:
            archive.extract((name for name in archive.files if name.split("/")[1] == options.model), Path(folder))
            found = chains(plan, *cell, scores=Path(folder))
    print("\n\n".join(trace(chain, command).rstrip() for chain in found))


if __name__ == "__main__":
    run(main)
