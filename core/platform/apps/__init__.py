"""What an app is to the platform: its specification, how it is opened, and its work on queues."""
