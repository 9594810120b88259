"""Print what tables will cost before anything starts: runs, jobs, tokens and GPU-hours by model and suite.

    python scripts/plan.py table1_mrqa table2_glue
    python scripts/plan.py --configfile config/demo.yaml --throughput 50e9 --step-time 0

Nothing is started or written. Without a table: everything that the configuration declares.
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.plan import Plan

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="tables, by name (default: all)")
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], help="as given to Snakemake")
    parser.add_argument("--throughput", type=float, help="FLOP/s that one device sustains (default: 100e12, assumed)")
    parser.add_argument("--step-time", type=float, help="least seconds of an optimizer step (default: 0.015, assumed)")
    options = parser.parse_args(arguments)
    if (options.throughput is not None and not options.throughput > 0) or (options.step_time or 0) < 0:
        parser.error("--throughput must be above 0, and --step-time not below 0")

    paths = [*(ROOT / name for name in CONFIGURATION), *options.configfile]
    plan = Plan(load_configuration(paths), ROOT)
    # Imported when the declarations are known to be right: it brings torch, which takes seconds.
    from linkbert.estimate import Machine, estimate
    from linkbert.estimate_page import page

    given = {"throughput": options.throughput, "step_seconds": options.step_time}
    machine = Machine(**{name: value for name, value in given.items() if value is not None})
    print(page(estimate(plan, options.tables, machine), options.tables))


if __name__ == "__main__":
    run(main)
