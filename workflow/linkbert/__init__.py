"""LinkBERT: pretraining language models with document links (Yasunaga et al., ACL 2022), from raw dump to table.

The library computes; it knows neither Snakemake nor command lines. Modules import what they need, so that
``import linkbert`` stays free of torch and starts in milliseconds.
"""

__version__ = "0.1.0"

# A stage's version is part of the parameters of its rule. Bump it in the commit that changes what the stage
# produces, and say so in CHANGELOG.md: rules then run again; an edit that changes no result re-runs nothing.
STAGE = {
    "download": 1,
    "documents": 2,
    "tokenizer": 1,
    "tokens": 1,
    "graph": 2,
    "instances": 2,
    "pretrain": 4,
    "tasks": 2,
    "finetune": 2,
    "tables": 4,
}
