"""What turns a task into a published policy: settings, runs, stages, tuning."""
