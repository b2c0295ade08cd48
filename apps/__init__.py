"""The applications that plug their environments and rewards into the core."""
