"""Questions asked by sending packets: ping, traceroute, trace, and whether expectations hold."""
