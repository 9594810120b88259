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
    threads: hardware.threads("build_graph")
    resources:
        mem_mb=hardware.mem_mb("build_graph"),
        runtime=hardware.runtime("build_graph"),
    params:
        stage=STAGE["graph"],
        neighbors=config["graph"]["neighbors"],
        search=plan.search_arguments,
        seed=config["seed"],
        like=lambda wildcards, input: f"--like {input.like}" if input.like else "",
    shell:
        """
        python scripts/build_graph.py \\
        --links {wildcards.links} \\
        --documents {input.documents} \\
        --neighbors {params.neighbors} \\
        {params.search} \\
        {params.like} \\
        --seed {params.seed} \\
        --threads {threads} \\
        --output {output} \\
        &>{log}
        """
