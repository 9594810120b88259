"""What makes a number evidence: intervals over test examples, the chain it comes from, an archive it travels in.

`statistics` reduces predictions to what a score needs of each example, `condense` does so for a batch of runs,
`bootstrap` resamples; `lineage` collects what the folders before a model say of themselves, `chain` and `trace` print
where a cell comes from; `wanted` says which of these files an experiment has or can make; `archive` packs scores.
"""
