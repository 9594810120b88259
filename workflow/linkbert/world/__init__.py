"""The demo's world: invented facts, told in the file formats of the publishers that the paper's inputs come from.

`facts` and `medicine` hold what is true in the world; `wordings` say it in English; one module per publisher renders
it into files; `generate` writes them all as a mirror for the download stage. Everything follows from a seed.
"""
