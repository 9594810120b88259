"""Pages about what models are trained on: graphs, instances, and what corpora share with the evaluation sets."""

from linkbert.corpus_reports import CorpusReports

corpus_report = CorpusReports(plan)


rule report_graph:
    input:
        "<results>/graphs/{corpus}/{links}",
    output:
        multiext(
            "<results>/reports/graphs/{corpus}/{links}", ".md", ".json", ".svg", ".png"
        ),
    log:
        "<results>/logs/report_graph/{corpus}-{links}.log",
    benchmark:
        "<results>/benchmarks/report_graph/{corpus}-{links}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=hardware.mem_mb("audit_instances"),
        runtime=hardware.runtime("audit_instances"),
    params:
        prefix=lambda wildcards, output: output[0].removesuffix(".md"),
    shell:
        "python scripts/report_graph.py --graph {input} --output {params.prefix} &>{log}"


rule report_instances:
    input:
        "<results>/instances/{corpus}/{tokenizer}/{sampling}",
    output:
        multiext(
            "<results>/reports/instances/{corpus}/{tokenizer}/{sampling}",
            ".md",
            ".json",
            ".svg",
            ".png",
        ),
    log:
        "<results>/logs/report_instances/{corpus}-{tokenizer}-{sampling}.log",
    benchmark:
        "<results>/benchmarks/report_instances/{corpus}-{tokenizer}-{sampling}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=hardware.mem_mb("audit_instances"),
        runtime=hardware.runtime("audit_instances"),
    params:
        prefix=lambda wildcards, output: output[0].removesuffix(".md"),
        title="{corpus}, {sampling}",
    shell:
        "python scripts/report_instances.py --instances {input} --title {params.title:q} --output {params.prefix} &>{log}"


rule check_overlap:
    input:
        documents=plan.documents,
        tasks=corpus_report.tasks,
    output:
        multiext("<results>/reports/overlap/{corpus}", ".md", ".json"),
    log:
        "<results>/logs/check_overlap/{corpus}.log",
    benchmark:
        "<results>/benchmarks/check_overlap/{corpus}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=hardware.mem_mb("sample_instances"),
        runtime=hardware.runtime("sample_instances"),
    params:
        prefix=lambda wildcards, output: output[0].removesuffix(".md"),
        heldout=config["instances"]["heldout"],
        seed=config["seed"],
    shell:
        """
        python scripts/check_overlap.py \\
        --documents {input.documents} \\
        --tasks {input.tasks} \\
        --heldout {params.heldout} \\
        --seed {params.seed} \\
        --output {params.prefix} \\
        &>{log}
        """


rule corpus_reports:
    input:
        corpus_report.pages(),
    localrule: True
