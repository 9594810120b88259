"""LinkBERT, from raw dumps to every table of the paper. See README.md for the three doors."""

from snakemake.utils import min_version

min_version("9.14")


configfile: "config/tables.yaml"
configfile: "config/report.yaml"
configfile: "config/cards.yaml"
configfile: "config/cluster.yaml"
configfile: "config/paper.yaml"


pathvars:
    results=f"results/{config['experiment']}",


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/download.smk"
include: "rules/corpus.smk"
include: "rules/graph.smk"
include: "rules/instances.smk"
include: "rules/corpus_reports.smk"
include: "rules/pretrain.smk"
include: "rules/finetune.smk"
include: "rules/evidence.smk"
include: "rules/tables.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        rules.tables.input,
        rules.figures.input,
        rules.cases.input,
        rules.report_page.input,
    localrule: True
