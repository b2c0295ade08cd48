"""Environments on Gymnasium's vector interface."""
