"""Who talks to whom, when, and what is expected to arrive."""
