"""Models: pretrained here (sections 5.1 and 6.1), or released checkpoints taken as they are."""


rule pretrain:
    input:
        tokenizer=plan.model_tokenizer,
        tokens=plan.model_tokens,
        instances=plan.model_instances,
        heldout=plan.model_heldout,
        init=plan.model_init,
    output:
        directory("<results>/models/{model}"),
    log:
        "<results>/logs/pretrain/{model}.log",
    benchmark:
        "<results>/benchmarks/pretrain/{model}.tsv"
    wildcard_constraints:
        model=plan.pattern("models", kind="pretrained"),
    conda:
        "../envs/torch.yaml"
    threads: config["hardware"]["pretrain_threads"]
    resources:
        mem_mb=lambda wildcards: plan.hardware(wildcards, "pretrain", "mem_mb"),
        runtime=lambda wildcards: plan.hardware(wildcards, "pretrain", "runtime"),
        gpu=lambda wildcards: plan.hardware(wildcards, "pretrain", "gpus"),
        nodes=1,
    params:
        stage=STAGE["pretrain"],
        recipe=plan.pretraining_json,
        sources=plan.pretraining_sources,
        init=lambda wildcards, input: f"--init {input.init}" if input.init else "",
        gpus=lambda wildcards: plan.hardware(wildcards, "pretrain", "gpus"),
        checkpoints=plan.checkpoint_folder,
    shell:
        """
        python scripts/launch.py --nodes {resources.nodes} --gpus {params.gpus} --threads {threads} scripts/pretrain.py \\
        --name {wildcards.model} \\
        --recipe {params.recipe:q} \\
        --tokenizer {input.tokenizer} \\
        {params.sources} \\
        {params.init} \\
        --threads {threads} \\
        --checkpoints {params.checkpoints} \\
        --output {output} \\
        &>{log}
        """


rule adopt_model:
    input:
        hub=plan.model_init,
        tokenizer=plan.model_tokenizer,
    output:
        directory("<results>/models/{model}"),
    log:
        "<results>/logs/adopt_model/{model}.log",
    benchmark:
        "<results>/benchmarks/adopt_model/{model}.tsv"
    wildcard_constraints:
        model=plan.pattern("models", kind="released"),
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage=STAGE["pretrain"],
    shell:
        "python scripts/adopt_model.py --hub {input.hub} --tokenizer {input.tokenizer} --output {output} &>{log}"


rule record_training:
    input:
        "<results>/models/{model}",
    output:
        "<results>/scores/{model}/training-{hash}.json",
    log:
        "<results>/logs/record_training/{model}-{hash}.log",
    benchmark:
        "<results>/benchmarks/record_training/{model}-{hash}.tsv"
    wildcard_constraints:
        model=plan.missing_recordings(),
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    shell:
        "(cp {input}/training.json {output}.part && mv {output}.part {output}) 2>{log}"


rule models:
    input:
        collect("<results>/models/{model}", model=plan.models),
    localrule: True
