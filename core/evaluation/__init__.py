"""Measuring policies: on the same split, beside their baselines, with intervals."""
