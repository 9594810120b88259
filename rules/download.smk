"""Bytes from outside: every file and every hub repository, verified, or taken from a mirror."""


rule download_file:
    output:
        "<results>/downloads/{file}",
    log:
        "<results>/logs/download_file/{file}.log",
    benchmark:
        "<results>/benchmarks/download_file/{file}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=1000,
        runtime="1d",
        download=1,
    params:
        stage=STAGE["download"],
        world=config.get("world"),  # the demo's files are others where its world is another
        source=plan.download_source,
    shell:
        "python scripts/download_file.py {params.source} --output {output} &>{log}"


rule download_hub:
    output:
        directory("<results>/hub/{hub}"),
    log:
        "<results>/logs/download_hub/{hub}.log",
    benchmark:
        "<results>/benchmarks/download_hub/{hub}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=2000,
        runtime="4h",
        download=1,
    params:
        stage=STAGE["download"],
        world=config.get("world"),  # the demo's files are others where its world is another
        source=plan.hub_source,
    shell:
        "python scripts/download_hub.py {params.source} --output {output} &>{log}"
