"""What a network decided, held against the truth: accuracy, trigger rate, errors in physical units.

What is asked of an overlay is data, `overlays/<name>/quality.toml`; see `spec`.
"""
