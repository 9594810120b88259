"""Documents as sentences and wordpieces."""
