"""What is to be made, from what, with which settings, and what it will cost: all that rules and `scripts/plan.py` ask.

`plan` answers the rules, `hardware` what their jobs need; `estimate` adds up jobs, hours and bytes before anything
starts, from the missing artefacts (`needs`), their sizes (`volumes`) and a speed measured here (`calibration`).
"""
