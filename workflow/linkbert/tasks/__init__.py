"""Tasks: from the publishers' raw files to JSON Lines, one module a format.

Each reader module has ``ROLES`` (the files it takes), ``OPTIONS`` and ``read(source) -> Dataset``, and where they are
known beforehand ``KIND`` and ``LABELS``. `declared` holds a row of ``tasks.tsv`` against them, `prepare` checks what a
reader returns, applies the variants (distractors, few-shot, limits) and writes the folder; nothing after it knows a
publisher's format. A new format is one module here and one line in `base.READERS`.
"""
