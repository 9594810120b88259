"""Figures, in vector and raster form: tables against the paper (`comparison`) and pretraining curves (`training`)."""
