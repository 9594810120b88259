"""Reads and checks the declarations, and answers what rules ask of them. No rule stands here."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(str(workflow.current_basedir)).parent
sys.path.insert(0, str(ROOT / "workflow"))

from linkbert import STAGE
from linkbert.errors import UserError
from linkbert.plan import Plan

try:
    plan = Plan(config, ROOT)
except UserError as error:
    raise WorkflowError(str(error)) from None

# Jobs import the library from workflow/ and use the interpreter that runs Snakemake. Conda jobs drop PYTHONPATH and bring
# their own interpreter, so both are set inside the shell, after an environment is activated.
# (Snakemake formats the prefix, hence the doubled braces.)
shell.prefix(
    f"set -euo pipefail; export PYTHONPATH={ROOT}/workflow; "
    f'[[ -n "${{{{CONDA_PREFIX:-}}}}" ]] || export PATH="{Path(sys.executable).parent}:$PATH"; '
)


wildcard_constraints:
    file=plan.pattern("downloads"),
    hub=plan.pattern("hub"),
    corpus=plan.pattern("corpora"),
    tokenizer=plan.pattern("tokenizers"),
    sampling=plan.pattern("samplings"),
    model=plan.pattern("models"),
    task=plan.pattern("tasks"),
    table="|".join(plan.tables),
    links="hyperlink|citation|tfidf|random",
    shard=r"\d{4}",
