"""Print what a target will cost before anything starts: jobs, GPU- and CPU-hours, disk and downloads by stage.

    python scripts/plan.py table1_mrqa table2_glue
    python scripts/plan.py linkbert-tiny --configfile config/demo.yaml --throughput 50e9 --step-time 0

A target is a table, a model, a task, `models`, `audits`, `tables` or `all`; without one: everything that is declared.
Nothing is started. Hours follow the measurements of scripts/calibrate.py where they stand in results/calibration.json;
--calibrate makes them first.
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.planning.plan import Plan

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="tables, models, tasks (default: everything)")
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], help="as given to Snakemake")
    parser.add_argument("--throughput", type=float, help="FLOP/s that one device sustains (default: 100e12, assumed)")
    parser.add_argument("--step-time", type=float, help="least seconds of an optimizer step (default: 0.015, assumed)")
    parser.add_argument("--calibration", type=Path, metavar="FILE", help="of calibrate.py, where it stands elsewhere")
    parser.add_argument("--calibrate", action="store_true", help="measure this machine first, in a minute or two")
    options = parser.parse_args(arguments)
    if (options.throughput is not None and not options.throughput > 0) or (options.step_time or 0) < 0:
        parser.error("--throughput must be above 0, and --step-time not below 0")

    paths = [*(ROOT / name for name in CONFIGURATION), *options.configfile]
    plan = Plan(load_configuration(paths), ROOT)
    # Imported when the declarations are known to be right: it brings torch, which takes seconds.
    from linkbert.planning.calibration import PATH, read_calibration
    from linkbert.planning.estimate import Machine, estimate
    from linkbert.planning.page import page

    measured = options.calibration or ROOT / PATH
    if options.calibrate:
        import calibrate

        files = ["--configfile", *map(str, options.configfile)] if options.configfile else []
        calibrate.main(["--output", str(measured), *files])
    given = {"throughput": options.throughput, "step_seconds": options.step_time}
    given = {name: value for name, value in given.items() if value is not None}
    # What is given by hand is not overruled by a file that happens to stand there.
    if options.calibration or options.calibrate or (not given and measured.exists()):
        given["calibration"] = read_calibration(measured)
    print(page(estimate(plan, options.targets, Machine(**given)), options.targets))


if __name__ == "__main__":
    run(main)
