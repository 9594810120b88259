"""Metrics of a task, equal to the official scorers; averages over tasks are `tables.scores.mean_of`."""

from linkbert.metrics.score import METRICS, check_metric, score

__all__ = ["METRICS", "check_metric", "score"]
