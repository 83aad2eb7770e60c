"""Run in a network namespace: sends IP packets as given and prints what comes back.

    python kernel_probe.py INTERFACE < probes.json > answers.json

Probes: [{"packets": [hex, ..], "answers": how many to wait for}]; answers: a list of hex for each,
every IPv4 packet that arrived for this host. Standard library only.
"""

from __future__ import annotations

import json
import socket
import sys
import time

PACKET_HOST = 0  # linux/if_packet.h: meant for this host
ETH_P_IP = 0x0800
PATIENCE_S = 5.0


def main() -> None:
    interface = sys.argv[1]
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    listener.bind((interface, ETH_P_IP))
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    answers = []
    for probe in json.load(sys.stdin):
        for packet in map(bytes.fromhex, probe["packets"]):
            sender.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
        answers.append(received(listener, probe["answers"]))
    json.dump(answers, sys.stdout)


def received(listener: socket.socket, wanted: int) -> list[str]:
    found: list[str] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < wanted and (left := deadline - time.monotonic()) > 0:
        listener.settimeout(left)
        try:
            packet, (_, _, kind, *_) = listener.recvfrom(65_535)
        except TimeoutError:
            break
        if kind == PACKET_HOST:
            found.append(packet.hex())
    return found


if __name__ == "__main__":
    main()
