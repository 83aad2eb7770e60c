"""netsim's own API, under /netsim/v1: what the vendor's leaves out."""
