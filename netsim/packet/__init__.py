"""Header bytes to packet columns and back; pure functions, no I/O."""
