"""From dumps to documents with links, tokenizers, and token arrays."""


rule extract_documents:
    input:
        plan.corpus_files,
    output:
        directory("<results>/documents/{corpus}/{shard}"),
    log:
        "<results>/logs/extract_documents/{corpus}-{shard}.log",
    benchmark:
        "<results>/benchmarks/extract_documents/{corpus}-{shard}.tsv"
    conda:
        "../envs/data.yaml"
    threads: hardware.threads("extract_documents")
    resources:
        mem_mb=hardware.mem_mb("extract_documents"),
        runtime=hardware.runtime("extract_documents"),
    params:
        stage=STAGE["documents"],
        format=lambda wildcards: plan.corpora[wildcards.corpus]["format"],
        shard=plan.shard_arguments,
        options=lambda wildcards: plan.corpora[wildcards.corpus]["options"] or "{}",
    shell:
        """
        python scripts/extract_documents.py \\
        --format {params.format} \\
        --inputs {input} \\
        {params.shard} \\
        --options {params.options:q} \\
        --output {output} \\
        &>{log}
        """


rule prepare_tokenizer:
    input:
        plan.tokenizer_inputs,
    output:
        directory("<results>/tokenizers/{tokenizer}"),
    log:
        "<results>/logs/prepare_tokenizer/{tokenizer}.log",
    benchmark:
        "<results>/benchmarks/prepare_tokenizer/{tokenizer}.tsv"
    conda:
        "../envs/data.yaml"
    threads: hardware.threads("prepare_tokenizer")
    resources:
        mem_mb=hardware.mem_mb("prepare_tokenizer"),
        runtime=hardware.runtime("prepare_tokenizer"),
    params:
        stage=STAGE["tokenizer"],
        source=plan.tokenizer_source,
    shell:
        "python scripts/prepare_tokenizer.py {params.source} {input} --output {output} &>{log}"


rule tokenize_documents:
    input:
        documents=plan.documents,
        tokenizer="<results>/tokenizers/{tokenizer}",
    output:
        directory("<results>/tokens/{corpus}/{tokenizer}"),
    log:
        "<results>/logs/tokenize_documents/{corpus}-{tokenizer}.log",
    benchmark:
        "<results>/benchmarks/tokenize_documents/{corpus}-{tokenizer}.tsv"
    conda:
        "../envs/data.yaml"
    threads: hardware.threads("tokenize_documents")
    resources:
        mem_mb=hardware.mem_mb("tokenize_documents"),
        runtime=hardware.runtime("tokenize_documents"),
    params:
        stage=STAGE["tokens"],
    shell:
        """
        python scripts/tokenize_documents.py \\
        --documents {input.documents} \\
        --tokenizer {input.tokenizer} \\
        --threads {threads} \\
        --output {output} \\
        &>{log}
        """
