"""Real bytes at the border: scapy packets and capture files."""
