"""Pretraining instances: pairs of segments and their relation (section 4.2), for training and held out."""


rule sample_instances:
    input:
        tokens="<results>/tokens/{corpus}/{tokenizer}",
        graph=plan.sampling_graph,
        tokenizer="<results>/tokenizers/{tokenizer}",
    output:
        directory("<results>/instances/{corpus}/{tokenizer}/{sampling}"),
    log:
        "<results>/logs/sample_instances/{corpus}-{tokenizer}-{sampling}.log",
    benchmark:
        "<results>/benchmarks/sample_instances/{corpus}-{tokenizer}-{sampling}.tsv"
    conda:
        "../envs/data.yaml"
    threads: hardware.threads("sample_instances")
    resources:
        mem_mb=hardware.mem_mb("sample_instances"),
        runtime=hardware.runtime("sample_instances"),
    params:
        stage=STAGE["instances"],
        graph=lambda wildcards, input: f"--graph {input.graph}" if input.graph else "",
        sampling=plan.sampling_json,
        instances=plan.instance_arguments(),
        epochs=config["instances"]["epochs"],
    shell:
        """
        python scripts/sample_instances.py \\
        --tokens {input.tokens} \\
        {params.graph} \\
        --tokenizer {input.tokenizer} \\
        --sampling {params.sampling:q} \\
        --epochs {params.epochs} \\
        {params.instances} \\
        --output {output} \\
        &>{log}
        """


rule sample_heldout:
    input:
        tokens="<results>/tokens/{corpus}/{tokenizer}",
        graph=plan.heldout_graph,
        tokenizer="<results>/tokenizers/{tokenizer}",
    output:
        directory("<results>/heldout/{corpus}/{tokenizer}"),
    log:
        "<results>/logs/sample_heldout/{corpus}-{tokenizer}.log",
    benchmark:
        "<results>/benchmarks/sample_heldout/{corpus}-{tokenizer}.tsv"
    conda:
        "../envs/data.yaml"
    threads: hardware.threads("sample_heldout")
    resources:
        mem_mb=hardware.mem_mb("sample_heldout"),
        runtime=hardware.runtime("sample_heldout"),
    params:
        stage=STAGE["instances"],
        graph=lambda wildcards, input: f"--graph {input.graph}" if input.graph else "",
        sampling=plan.heldout_json,
        instances=plan.instance_arguments(),
    shell:
        """
        python scripts/sample_instances.py \\
        --heldout-only \\
        --tokens {input.tokens} \\
        {params.graph} \\
        --tokenizer {input.tokenizer} \\
        --sampling {params.sampling:q} \\
        --epochs 1 \\
        {params.instances} \\
        --output {output} \\
        &>{log}
        """


rule audit_instances:
    input:
        tokens="<results>/tokens/{corpus}/{tokenizer}",
        graph=plan.sampling_graph,
        tokenizer="<results>/tokenizers/{tokenizer}",
        instances="<results>/instances/{corpus}/{tokenizer}/{sampling}",
    output:
        "<results>/audits/{corpus}/{tokenizer}/{sampling}.txt",
    log:
        "<results>/logs/audit_instances/{corpus}-{tokenizer}-{sampling}.log",
    benchmark:
        "<results>/benchmarks/audit_instances/{corpus}-{tokenizer}-{sampling}.tsv"
    conda:
        "../envs/data.yaml"
    threads: hardware.threads("audit_instances")
    resources:
        mem_mb=hardware.mem_mb("audit_instances"),
        runtime=hardware.runtime("audit_instances"),
    params:
        graph=lambda wildcards, input: f"--graph {input.graph}" if input.graph else "",
    shell:
        """
        python scripts/audit_instances.py \\
        --tokens {input.tokens} \\
        {params.graph} \\
        --tokenizer {input.tokenizer} \\
        --instances {input.instances} \\
        --report {output} \\
        &>{log}
        """


rule audits:
    input:
        plan.audit_reports(),
    localrule: True
