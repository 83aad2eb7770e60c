"""Records the captures of topologies/captures/: real programs in namespaces, tcpdump between them.

    python -m tools.record_captures [FOLDER]        as root; needs tcpdump, ethtool, tc, curl, ping

Client and server are joined by one cable of 10 Mbit/s; what the client's end sees is kept.
Addresses are from RFC 5737. A new recording has other times, ports and sequence numbers.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.namespaces import Namespaces

CLIENT, SERVER = "192.0.2.10", "192.0.2.20"
CLIENT_MAC, SERVER_MAC = "02:00:00:00:00:10", "02:00:00:00:00:20"
RATE_MBPS = 10
RECORDS = {"shop.example": "198.51.100.7", "db.shop.example": "198.51.100.8", "cdn.example": "203.0.113.80"}
"""What the name server knows; other names do not exist."""
DNS_PORT, WEB_PORT = 53, 80
TYPE_A, NAME_ERROR = 1, 3


def main() -> None:
    """Record all captures into the folder given, else into topologies/captures."""
    if sys.argv[1:] == ["--serve-names"]:
        serve_names()
    folder = Path(sys.argv[1] if sys.argv[1:] else "topologies/captures")
    folder.mkdir(parents=True, exist_ok=True)
    for name, session in SESSIONS.items():
        namespaces = Namespaces()
        try:
            interface = wire_up(namespaces)
            with recording(namespaces, interface, folder / name):
                session(namespaces)
                time.sleep(0.3)  # what is still under way
        finally:
            namespaces.close()


def wire_up(namespaces: Namespaces) -> str:
    """Client and server on one slow cable; returns the client's interface."""
    ends = namespaces.cable("client", f"{CLIENT}/24", "server", f"{SERVER}/24")
    for host, end, mac, peer, peer_mac in (
        ("client", ends[0], CLIENT_MAC, SERVER, SERVER_MAC),
        ("server", ends[1], SERVER_MAC, CLIENT, CLIENT_MAC),
    ):
        for command in (
            f"ip link set {end} address {mac}",
            # Static neighbours: no ARP in the capture.
            f"ip neighbour replace {peer} lladdr {peer_mac} dev {end}",
            # Else packets of 64 kB without checksums cross the cable, as no wire would carry them.
            f"ethtool -K {end} tx off tso off gso off gro off",
            f"tc qdisc add dev {end} root tbf rate {RATE_MBPS}mbit burst 3000 latency 50ms",
        ):
            must(namespaces, host, command)
    return ends[0]


def web_session(namespaces: Namespaces) -> None:
    """Curl gets a page, a picture and an error from Python's http.server."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "index.html").write_text("<h1>shop</h1><img src=logo.bin>\n" * 20)
        (Path(folder) / "logo.bin").write_bytes(bytes(range(256)) * 60)
        server = f"cd {folder} && exec {sys.executable} -m http.server {WEB_PORT}"
        with background(namespaces, "server", server, lambda: is_listening(namespaces, WEB_PORT)):
            for path in ("index.html", "logo.bin", "missing.html"):
                must(namespaces, "client", f"curl -s -o /dev/null http://{SERVER}/{path}")


def dns_session(namespaces: Namespaces) -> None:
    """The C library's resolver asks for names that exist, and one that does not."""
    real = namespaces.host("client")
    configuration = Path("/etc/netns") / real  # `ip netns exec` mounts its files over /etc
    configuration.mkdir(parents=True)
    try:
        (configuration / "resolv.conf").write_text(f"nameserver {SERVER}\n")
        (configuration / "nsswitch.conf").write_text("hosts: dns\n")
        names = f"exec {sys.executable} -m tools.record_captures --serve-names"
        with background(namespaces, "server", names, lambda: is_listening(namespaces, DNS_PORT, "u")):
            for name in (*RECORDS, "absent.example", "shop.example"):
                namespaces.run("client", "getent", "ahosts", f"{name}.")
                time.sleep(0.05)
    finally:
        for file in configuration.iterdir():
            file.unlink()
        configuration.rmdir()


def ping_session(namespaces: Namespaces) -> None:
    """Ping with the usual size, and with one that needs fragments."""
    must(namespaces, "client", f"ping -c 5 -i 0.2 {SERVER}")
    must(namespaces, "client", f"ping -c 3 -i 0.2 -s 3000 {SERVER}")


SESSIONS: dict[str, Callable[[Namespaces], None]] = {
    "web-session.pcap": web_session,
    "dns.pcap": dns_session,
    "ping.pcap": ping_session,
}


def serve_names() -> None:
    """A name server for `RECORDS`, of A records only (RFC 1035), until it is stopped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((SERVER, DNS_PORT))
        while True:
            query, sender = listener.recvfrom(512)
            listener.sendto(answer_to(query), sender)


def answer_to(query: bytes) -> bytes:
    """The response to a query of one question."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    question = query[12 : at + 5]
    kind = int.from_bytes(query[at + 1 : at + 3], "big")
    addr = RECORDS.get(".".join(labels))
    found = addr is not None and kind == TYPE_A
    flags = 0x8580 | (0 if addr else NAME_ERROR)  # response, authoritative, recursion as asked
    head = query[:2] + flags.to_bytes(2, "big") + b"\0\1" + (b"\0\1" if found else b"\0\0") + bytes(4)
    if not found or addr is None:
        return head + question
    # The name is a pointer to the question's; class IN, 300 s to live.
    return head + question + bytes.fromhex("c00c 0001 0001 0000012c 0004") + socket.inet_aton(addr)


@contextmanager
def recording(namespaces: Namespaces, interface: str, path: Path) -> Iterator[None]:
    """Tcpdump on the client's interface while the block runs."""
    command = ["ip", "netns", "exec", namespaces.host("client"), "tcpdump", "-Z", "root", "--nano", "--immediate-mode"]
    command += ["-U", "-i", interface, "-w", str(path.resolve()), "ip"]
    recorder = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own command
    assert recorder.stderr is not None
    recorder.stderr.readline()  # "tcpdump: listening on ..."
    try:
        yield
    finally:
        recorder.send_signal(signal.SIGINT)
        recorder.wait(10)
        recorder.stderr.close()


@contextmanager
def background(namespaces: Namespaces, host: str, command: str, is_ready: Callable[[], bool]) -> Iterator[None]:
    """A shell command on a host while the block runs; the block starts once it is ready."""
    full = ["ip", "netns", "exec", namespaces.host(host), "sh", "-c", command]
    running = subprocess.Popen(full, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    try:
        deadline = time.monotonic() + 10
        while not is_ready():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{command}: not ready after 10 s")
            time.sleep(0.05)
        yield
    finally:
        running.terminate()
        running.wait(10)


def is_listening(namespaces: Namespaces, port: int, transport: str = "t") -> bool:
    """Whether something on the server has the port open (`transport`: t or u)."""
    return f":{port} " in namespaces.run("server", "ss", f"-Hln{transport}").stdout


def must(namespaces: Namespaces, host: str, command: str) -> None:
    """Run a shell command on a host; its failure ends the recording."""
    done = namespaces.run(host, "sh", "-c", command)
    if done.returncode:
        raise RuntimeError(f"{host}: {command}: {done.stderr.strip()}")


if __name__ == "__main__":
    main()
