"""Fine-tuning: the methods of BERT, PubmedBERT and Jin et al. for every kind of task, over packed batches.

A run is (model, task, recipe point, seed). `runs.run_batch` does all runs of a job in one process: weights are read
once, features are made once for each task and length, and what an earlier process finished is not done again. A new
kind of task is one subclass of `method.Method`, named in `methods.METHODS`.
"""
