"""The document graph: hyperlinks or citations, and its TF-IDF and random counterparts (sections 4.1 and 5.5)."""


rule build_graph:
    input:
        documents=plan.documents,
        like=plan.graph_like,
    output:
        directory("<results>/graphs/{corpus}/{links}"),
    log:
        "<results>/logs/build_graph/{corpus}-{links}.log",
    benchmark:
        "<results>/benchmarks/build_graph/{corpus}-{links}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 8
    resources:
        mem_mb=64000,
        runtime="12h",
    params:
        stage=STAGE["graph"],
        neighbors=config["graph"]["neighbors"],
        seed=config["seed"],
        like=lambda wildcards, input: f"--like {input.like}" if input.like else "",
    shell:
        """
        python scripts/build_graph.py \\
        --links {wildcards.links} \\
        --documents {input.documents} \\
        --neighbors {params.neighbors} \\
        {params.like} \\
        --seed {params.seed} \\
        --threads {threads} \\
        --output {output} \\
        &>{log}
        """
