"""Pretraining: data, objective, loop, checkpoints, evaluation."""
