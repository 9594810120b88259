"""Pretraining instances: pairs of segments and their relation, sampled, described, audited."""
