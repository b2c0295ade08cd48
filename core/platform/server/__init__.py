"""The server: the apps composed into one web application, in one process or in several."""
