"""Reads and checks the declarations, and answers what rules ask of them. No rule stands here."""

import sys
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError

ROOT = Path(str(workflow.current_basedir)).parent
sys.path.insert(0, str(ROOT / "workflow"))

from linkbert import STAGE
from linkbert.cards.wanted import Cards
from linkbert.cluster import cancel_orphans
from linkbert.errors import UserError
from linkbert.evidence.wanted import Wanted
from linkbert.planning.hardware import Hardware
from linkbert.planning.plan import Plan
from linkbert.report.plan import Reporting

try:
    plan = Plan(config, ROOT)
    evidence = Wanted(plan)
    cards = Cards(plan, evidence)
    reporting = Reporting(plan)
except UserError as error:
    raise WorkflowError(str(error)) from None
hardware = Hardware(config, lambda model: plan.models[model]["size"])

# Jobs import the library from workflow/ and use the interpreter that runs Snakemake. Conda jobs drop PYTHONPATH and bring
# their own interpreter, so both are set inside the shell, after an environment is activated.
# (Snakemake formats the prefix, hence the doubled braces.)
shell.prefix(
    f"set -euo pipefail; export PYTHONPATH={quote(f'{ROOT}/workflow')}; "
    f'[[ -n "${{{{CONDA_PREFIX:-}}}}" ]] || export PATH={quote(str(Path(sys.executable).parent))}:"$PATH"; '
)


wildcard_constraints:
    file="[^/]+",  # `plan.download_source` knows them: a pattern of a thousand names costs every plan a second
    hub=plan.pattern("hub"),
    corpus=plan.pattern("corpora"),
    tokenizer=plan.pattern("tokenizers"),
    sampling=plan.pattern("samplings"),
    model=plan.pattern("models"),
    task=plan.pattern("tasks"),
    table="|".join(plan.tables),
    links="hyperlink|citation|tfidf|random",
    shard=r"\d{4}",


# The jobs of a Snakemake that was killed run on in the cluster, and it cannot find them again.
onstart:
    if workflow.is_main_process:
        for job in cancel_orphans(Path.cwd()):
            print(f"Cancelled job {job}, left by an earlier run.", file=sys.stderr)
