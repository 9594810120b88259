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
    threads: hardware.threads("pretrain")
    resources:
        **hardware.slurm("pretrain"),
        launcher="local",
        mem_mb=hardware.mem_mb("pretrain"),
        runtime=hardware.runtime("pretrain"),
        gpu=hardware.gpu("pretrain"),
    params:
        stage=STAGE["pretrain"],
        recipe=plan.pretraining_json,
        sources=plan.pretraining_sources,
        init=lambda wildcards, input: f"--init {input.init}" if input.init else "",
        checkpoints=plan.checkpoint_folder,
    shell:
        """
        exec python scripts/launch.py --launcher {resources.launcher} --nodes {resources.nodes} \\
        --gpus {resources.gpu} --threads {threads} scripts/pretrain.py \\
        --name {wildcards.model} \\
        --recipe {params.recipe:q} \\
        --tokenizer {input.tokenizer} \\
        {params.sources} \\
        {params.init} \\
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
        plan.model_to_come,
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
    params:
        model=plan.model_folder,
    shell:
        "(cp {params.model}/training.json {output}.part && mv {output}.part {output}) 2>{log}"


rule models:
    input:
        collect("<results>/models/{model}", model=plan.models),
    localrule: True
