"""Rollouts, advantages, algorithms (one file each) and the learner that runs them."""
