"""From score files and published numbers to the paper's tables, each cell with its provenance.

`definition` says what a table is, `scores` reads runs and selects among them, `published` reads the paper's numbers,
`cells` sets ours beside the paper's and judges, `layout` arranges, `text` and `html` print, `summary` counts.
Standard library only (and the readers of `linkbert.declarations`): tables are drawn in a fraction of a second.
"""
