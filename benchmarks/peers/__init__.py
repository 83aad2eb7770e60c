"""What netsim is measured against; each file one peer, none of it needed to use netsim."""
