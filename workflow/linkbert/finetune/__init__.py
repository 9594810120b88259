"""Fine-tuning: the methods of BERT, PubmedBERT and Jin et al. for every kind of task, over packed batches.

A run is (model, task, recipe point, seed). `runs.run_batch` does all runs of a job in one process: weights are read
once, features are made once for each task and length, and what an earlier process finished is not done again. A new
kind of task is one subclass of `method.Method`, named in `METHODS`.
"""

from linkbert.finetune.method import Method
from linkbert.finetune.sequences import Choice, Classification, MultiLabel, Regression
from linkbert.finetune.spans import Span
from linkbert.finetune.tagging import Tagging

METHODS: dict[str, type[Method]] = {
    method.kind: method for method in (Span, Classification, MultiLabel, Regression, Tagging, Choice)
}
