"""Bytes from outside: every file and every hub repository, verified, or taken from a mirror.

They are fetched where Snakemake runs, because the nodes of many clusters have no network.
"""


rule download_file:
    output:
        "<results>/downloads/{file}",
    log:
        "<results>/logs/download_file/{file}.log",
    benchmark:
        "<results>/benchmarks/download_file/{file}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=hardware.mem_mb("download_file"),
        runtime=hardware.runtime("download_file"),
        download=1,  # --resources download=2 keeps to two at a time
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
    localrule: True
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=hardware.mem_mb("download_hub"),
        runtime=hardware.runtime("download_hub"),
        download=1,  # --resources download=2 keeps to two at a time
    params:
        stage=STAGE["download"],
        world=config.get("world"),  # the demo's files are others where its world is another
        source=plan.hub_source,
    shell:
        "python scripts/download_hub.py {params.source} --output {output} &>{log}"
