"""What is shown beside the nine tables: figures across them, leaderboards, case studies, and the report itself."""


rule plot_analysis:
    input:
        reporting.figure_tables,
    output:
        svg=report(
            "<results>/figures/{figure}.svg",
            caption="../workflow/report/analysis.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        png="<results>/figures/{figure}.png",
    log:
        "<results>/logs/plot_analysis/{figure}.log",
    benchmark:
        "<results>/benchmarks/plot_analysis/{figure}.tsv"
    wildcard_constraints:
        figure=reporting.pattern(reporting.figures),
    localrule: True
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage=STAGE["tables"],
        figure=reporting.figure_json,
        prefix=lambda wildcards, output: output.svg.removesuffix(".svg"),
    shell:
        """
        python scripts/plot_analysis.py \\
        --figure {wildcards.figure} \\
        --definition {params.figure:q} \\
        --tables {input} \\
        --output {params.prefix} \\
        &>{log}
        """


rule make_leaderboard:
    input:
        tables=collect("<results>/tables/{table}.json", table=plan.tables),
        published="config/leaderboards.tsv",
    output:
        md="<results>/tables/{board}.md",
        tsv="<results>/tables/{board}.tsv",
        json="<results>/tables/{board}.json",
        html=report(
            "<results>/tables/{board}.html",
            caption="../workflow/report/leaderboard.rst",
            category="Leaderboards",
            labels={"leaderboard": "{board}"},
        ),
    log:
        "<results>/logs/make_leaderboard/{board}.log",
    benchmark:
        "<results>/benchmarks/make_leaderboard/{board}.tsv"
    wildcard_constraints:
        board=reporting.pattern(reporting.boards),
    localrule: True
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage=STAGE["tables"],
        board=reporting.board_json,
        prefix=lambda wildcards, output: output.md.removesuffix(".md"),
    shell:
        """
        python scripts/make_leaderboard.py \\
        --leaderboard {wildcards.board} \\
        --definition {params.board:q} \\
        --published {input.published} \\
        --tables {input.tables} \\
        --output {params.prefix} \\
        &>{log}
        """


# A file of answers that exists has no producer, as a score file: it can be shown where neither runs nor tasks are.
rule answer_cases:
    input:
        # The runs and tasks that it reads stand outside Snakemake's sight: answers are wanted only where they are.
        reporting.case_scores,
    output:
        "<results>/scores/{model}/cases-{hash}.json",
    log:
        "<results>/logs/answer_cases/{model}-{hash}.log",
    benchmark:
        "<results>/benchmarks/answer_cases/{model}-{hash}.tsv"
    wildcard_constraints:
        hash=reporting.missing_cases(),
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        stage=STAGE["tables"],
        cases=reporting.cases_json,
        tasks=plan.task_folder,
        runs=plan.run_folder,
    shell:
        """
        python scripts/answer_cases.py \\
        --name {wildcards.model} \\
        --cases {params.cases:q} \\
        --scores {input} \\
        --tasks {params.tasks} \\
        --run-folder {params.runs} \\
        --output {output} \\
        &>{log}
        """


rule show_case:
    input:
        reporting.case_answers,
    output:
        json="<results>/cases/{case}.json",
        md="<results>/cases/{case}.md",
        html=report(
            "<results>/cases/{case}.html",
            caption="../workflow/report/case.rst",
            category="Case studies",
            labels={"case": "{case}"},
        ),
    log:
        "<results>/logs/show_case/{case}.log",
    benchmark:
        "<results>/benchmarks/show_case/{case}.tsv"
    wildcard_constraints:
        case=reporting.pattern(reporting.cases),
    localrule: True
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage=STAGE["tables"],
        case=reporting.case_json,
        titles=reporting.case_titles,
        note=reporting.case_note,
        prefix=lambda wildcards, output: output.md.removesuffix(".md"),
    shell:
        """
        python scripts/show_case.py \\
        --case {wildcards.case} \\
        --definition {params.case:q} \\
        --titles {params.titles:q} \\
        --note {params.note:q} \\
        --answers {input} \\
        --output {params.prefix} \\
        &>{log}
        """


rule make_report:
    input:
        tables=collect("<results>/tables/{table}.json", table=plan.tables),
        claims="<results>/tables/claims.json",
        figures=rules.figures.input,
        leaderboards=collect("<results>/tables/{board}.json", board=reporting.boards),
        cases=collect("<results>/cases/{case}.json", case=reporting.cases),
        scores=plan.available(plan.score_files()),
        records=plan.training_recordings(),
        lineages=evidence.all_lineages(),
        deviations="docs/deviations.md",
    output:
        report(
            "<results>/report.html",
            caption="../workflow/report/report.rst",
            category="Summary",
        ),
    log:
        "<results>/logs/make_report.log",
    benchmark:
        "<results>/benchmarks/make_report.tsv"
    localrule: True
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        stage=STAGE["tables"],
        captions=reporting.captions_json,
        settings=reporting.settings_json,
        records=reporting.record_arguments,
    shell:
        """
        python scripts/make_report.py \\
        --tables {input.tables} \\
        --claims {input.claims} \\
        --figures {input.figures} \\
        --captions {params.captions:q} \\
        --leaderboards {input.leaderboards} \\
        --cases {input.cases} \\
        --scores {input.scores} \\
        --training {params.records} \\
        --lineages {input.lineages} \\
        --deviations {input.deviations} \\
        --settings {params.settings:q} \\
        --output {output} \\
        &>{log}
        """


rule cases:
    input:
        collect("<results>/cases/{case}.html", case=reporting.cases),
    localrule: True


rule report_page:
    input:
        rules.make_report.output,
    localrule: True
