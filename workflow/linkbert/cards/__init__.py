"""Model cards: a trained model as a folder to publish on the Hub; `wanted` answers the rule, `card` writes."""
