"""The web application: routes that every app shares, limits, errors, logs."""
