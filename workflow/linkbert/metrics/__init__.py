"""Metrics, equal to the official scorers: `score` for a task, `macro_average` for a benchmark (BLURB, GLUE, MRQA)."""

from linkbert.metrics.aggregate import macro_average
from linkbert.metrics.score import METRICS, score

__all__ = ["METRICS", "macro_average", "score"]
