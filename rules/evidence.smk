"""What makes scores evidence: statistics of examples, lineages, and archives that tables are drawn from elsewhere.

Like a score, a file of evidence that exists has no producer, and none of these rules ever asks for a training.
"""


rule condense_scores:
    input:
        # The runs and tasks that it reads stand outside Snakemake's sight: evidence is wanted only where they are.
        "<results>/scores/{model}/{batch}.json",
    output:
        "<results>/scores/{model}/{batch}.npz",
    log:
        "<results>/logs/condense_scores/{model}/{batch}.log",
    benchmark:
        "<results>/benchmarks/condense_scores/{model}/{batch}.tsv"
    wildcard_constraints:
        batch=evidence.missing_batches(),
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        runs=plan.run_folder,
        tasks=plan.task_folder,
    shell:
        """
        python scripts/condense_scores.py \\
        --scores {input} \\
        --runs {params.runs} \\
        --tasks {params.tasks} \\
        --output {output} \\
        &>{log}
        """


rule record_lineage:
    input:
        plan.model_to_come,
    output:
        "<results>/scores/{model}/lineage-{hash}.json",
    log:
        "<results>/logs/record_lineage/{model}-{hash}.log",
    benchmark:
        "<results>/benchmarks/record_lineage/{model}-{hash}.tsv"
    wildcard_constraints:
        model=evidence.missing_lineages(),
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=500,
        runtime=60,
    params:
        results=evidence.results_folder,
        folders=evidence.lineage_folders,
        downloads=evidence.lineage_downloads,
    shell:
        """
        python scripts/record_lineage.py \\
        --model {wildcards.model} \\
        --results {params.results} \\
        --folders {params.folders} \\
        --downloads {params.downloads} \\
        --output {output} \\
        &>{log}
        """


rule export_scores:
    input:
        evidence.exported(),
    output:
        f"<results>/export/{config['experiment']}-scores.zip",
    log:
        "<results>/logs/export_scores.log",
    benchmark:
        "<results>/benchmarks/export_scores.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        results=evidence.results_folder,
        config=evidence.config_json,
        absent=evidence.absent(),
    shell:
        """
        python scripts/export_scores.py \\
        --results {params.results} \\
        --files {input} \\
        --config {params.config:q} \\
        --absent {params.absent} \\
        --output {output} \\
        &>{log}
        """


rule import_scores:
    input:
        config.get("scores") or [],
    output:
        evidence.imported(),
    log:
        "<results>/logs/import_scores.log",
    benchmark:
        "<results>/benchmarks/import_scores.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        results=evidence.results_folder,
    shell:
        "python scripts/import_scores.py --archive {input:q} --results {params.results} &>{log}"


rule make_model_card:
    input:
        model="<results>/models/{model}",
        scores=cards.scores,
        lineage=cards.lineage,
    output:
        directory("<results>/model_cards/{model}"),
    log:
        "<results>/logs/make_model_card/{model}.log",
    benchmark:
        "<results>/benchmarks/make_model_card/{model}.tsv"
    wildcard_constraints:
        model=cards.pattern(),
    localrule: True
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        card=cards.card_json,
    shell:
        """
        python scripts/make_model_card.py \\
        --model {input.model} \\
        --card {params.card:q} \\
        --scores {input.scores} \\
        --lineage {input.lineage} \\
        --output {output} \\
        &>{log}
        """


rule model_cards:
    input:
        collect("<results>/model_cards/{model}", model=cards.models()),
    localrule: True
