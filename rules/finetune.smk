"""Tasks from the publishers' files, fine-tuning, and scores.

A score file that exists has no producer: the rule's wildcards admit only the batches whose scores are missing. So no file
time and no deleted model can make a finished fine-tuning run again; a changed setting changes the file's name.
"""


rule prepare_task:
    input:
        plan.task_inputs,
    output:
        directory("<results>/tasks/{task}"),
    log:
        "<results>/logs/prepare_task/{task}.log",
    benchmark:
        "<results>/benchmarks/prepare_task/{task}.tsv"
    conda:
        "../envs/data.yaml"
    threads: hardware.threads("prepare_task")
    resources:
        mem_mb=hardware.mem_mb("prepare_task"),
        runtime=hardware.runtime("prepare_task"),
    params:
        stage=STAGE["tasks"],
        files=plan.task_arguments,
        reader=lambda wildcards: plan.tasks[wildcards.task]["reader"],
        kind=lambda wildcards: plan.tasks[wildcards.task]["kind"],
        metric=lambda wildcards: plan.tasks[wildcards.task]["metric"],
        options=plan.task_options,
        seed=config["seed"],
    shell:
        """
        python scripts/prepare_task.py \\
        --task {wildcards.task} \\
        --reader {params.reader} \\
        --files {params.files} \\
        --kind {params.kind} \\
        --metric {params.metric:q} \\
        --options {params.options:q} \\
        --seed {params.seed} \\
        --output {output} \\
        &>{log}
        """


rule finetune:
    input:
        model="<results>/models/{model}",
        tasks=plan.batch_tasks,
    output:
        "<results>/scores/{model}/{batch}.json",
    log:
        "<results>/logs/finetune/{model}/{batch}.log",
    benchmark:
        "<results>/benchmarks/finetune/{model}/{batch}.tsv"
    wildcard_constraints:
        batch=plan.missing_batches(),
    conda:
        "../envs/torch.yaml"
    threads: hardware.threads("finetune")
    resources:
        **hardware.slurm("finetune"),
        launcher="local",
        mem_mb=hardware.mem_mb("finetune"),
        runtime=hardware.runtime("finetune"),
        gpu=hardware.gpu("finetune"),
    params:
        stage=STAGE["finetune"],
        runs=plan.batch_json,
        tasks=plan.task_folder,
        folder=plan.run_folder,
    shell:
        """
        exec python scripts/launch.py --launcher {resources.launcher} --gpus {resources.gpu} \\
        --threads {threads} scripts/finetune.py \\
        --name {wildcards.model} \\
        --model {input.model} \\
        --batch {wildcards.batch} \\
        --runs {params.runs:q} \\
        --tasks {params.tasks} \\
        --run-folder {params.folder} \\
        --threads {threads} \\
        --output {output} \\
        &>{log}
        """


rule scores:
    input:
        plan.score_files(),
    localrule: True
