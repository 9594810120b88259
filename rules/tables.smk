"""The nine tables, their summary, claims and figures: from scores and published numbers alone."""


rule make_table:
    input:
        scores=plan.table_scores,
        evidence=evidence.table_statistics,
        published="config/published.tsv",
    output:
        md="<results>/tables/{table}.md",
        csv="<results>/tables/{table}.csv",
        tsv="<results>/tables/{table}.tsv",
        tex="<results>/tables/{table}.tex",
        json="<results>/tables/{table}.json",
        html=report(
            "<results>/tables/{table}.html",
            caption="../workflow/report/table.rst",
            category="Tables of the paper",
            labels={"table": "{table}"},
        ),
    log:
        "<results>/logs/make_table/{table}.log",
    benchmark:
        "<results>/benchmarks/make_table/{table}.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage=STAGE["tables"],
        table=plan.table_json,
        missing=evidence.missing_json,
        prefix=lambda wildcards, output: output.md.removesuffix(".md"),
    shell:
        """
        python scripts/make_table.py \\
        --table {params.table:q} \\
        --scores {input.scores} \\
        --evidence {input.evidence} \\
        --missing {params.missing:q} \\
        --published {input.published} \\
        --output {params.prefix} \\
        &>{log}
        """


rule summarize_tables:
    input:
        collect("<results>/tables/{table}.json", table=plan.tables),
    output:
        md="<results>/tables/README.md",
        html=report(
            "<results>/tables/README.html",
            caption="../workflow/report/summary.rst",
            category="Summary",
        ),
    log:
        "<results>/logs/summarize_tables.log",
    benchmark:
        "<results>/benchmarks/summarize_tables.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage=STAGE["tables"],
        prefix=lambda wildcards, output: output.md.removesuffix(".md"),
    shell:
        "python scripts/summarize_tables.py --tables {input} --output {params.prefix} &>{log}"


rule judge_claims:
    input:
        tables=collect("<results>/tables/{table}.json", table=plan.tables),
        evidence=evidence.all_statistics(),
        claims="config/claims.yaml",
    output:
        md="<results>/tables/claims.md",
        json="<results>/tables/claims.json",
        html=report(
            "<results>/tables/claims.html",
            caption="../workflow/report/claims.rst",
            category="Claims",
        ),
    log:
        "<results>/logs/judge_claims.log",
    benchmark:
        "<results>/benchmarks/judge_claims.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage=STAGE["tables"],
        prefix=lambda wildcards, output: output.md.removesuffix(".md"),
    shell:
        """
        python scripts/judge_claims.py \\
        --claims {input.claims} \\
        --tables {input.tables} \\
        --evidence {input.evidence} \\
        --output {params.prefix} \\
        &>{log}
        """


rule plot_table:
    input:
        "<results>/tables/{table}.json",
    output:
        svg=report(
            "<results>/figures/{table}.svg",
            caption="../workflow/report/figure.rst",
            category="Figures",
            labels={"table": "{table}"},
        ),
        png="<results>/figures/{table}.png",
    log:
        "<results>/logs/plot_table/{table}.log",
    benchmark:
        "<results>/benchmarks/plot_table/{table}.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage=STAGE["tables"],
        prefix=lambda wildcards, output: output.svg.removesuffix(".svg"),
    shell:
        "python scripts/plot_table.py --table {input} --output {params.prefix} &>{log}"


rule plot_training:
    input:
        plan.training_records,
    output:
        svg=report(
            "<results>/figures/training_{size}.svg",
            caption="../workflow/report/training.rst",
            category="Figures",
            labels={"training": "{size}"},
        ),
        png="<results>/figures/training_{size}.png",
    log:
        "<results>/logs/plot_training/{size}.log",
    benchmark:
        "<results>/benchmarks/plot_training/{size}.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage=STAGE["tables"],
        records=plan.training_arguments,
        prefix=lambda wildcards, output: output.svg.removesuffix(".svg"),
    shell:
        "python scripts/plot_training.py --training {params.records} --output {params.prefix} &>{log}"


for table_name in plan.tables:

    rule:
        name:
            table_name
        input:
            f"<results>/tables/{table_name}.md",
            evidence.table_lineages(table_name),
        localrule: True


rule tables:
    input:
        collect("<results>/tables/{table}.md", table=plan.tables),
        "<results>/tables/README.md",
        "<results>/tables/claims.md",
        evidence.all_lineages(),
        reporting.board_files(),
    localrule: True


rule figures:
    input:
        collect("<results>/figures/{table}.svg", table=plan.tables),
        plan.training_figures(),
        reporting.figure_files(),
    localrule: True
