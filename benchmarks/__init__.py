"""Speed and quality, measured: `steer bench NAME --json FILE`."""
