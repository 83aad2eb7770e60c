"""The Baidu-compatible HTTP API, and netsim's own beside it."""
