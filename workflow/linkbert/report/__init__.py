"""The report: one self-contained page that a reviewer opens first, made from what the tables left behind.

`page` puts the sections together, each of which is a module; `style` is the shell of every page, `plan` answers the
rules. Leaderboards (`boards`) and the paper's case studies (`linkbert.cases`) have pages of their own, too.
"""
