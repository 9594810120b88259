"""BERT over packed sequences: encoder, heads, weights in and out."""
