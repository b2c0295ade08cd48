"""Training in the background: a queue in the store, a runner in each server, a process for each job."""
