"""Steer's core: reinforcement-learning fine-tuning of pretrained transformers, shared by every app."""
