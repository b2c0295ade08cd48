"""Pretrained weights and the policies built on them."""
