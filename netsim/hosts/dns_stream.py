"""DNS messages in a TCP stream: each stands behind its length in two bytes (RFC 1035 section 4.2.2)."""

from __future__ import annotations

LENGTH_BYTES = 2


class DnsStream:
    """Takes a stream in pieces cut anywhere, and gives back whole messages, in order (RFC 7766 section 8)."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> list[bytes]:
        """The messages that are whole with these bytes."""
        stream = self._rest + data
        messages = []
        at = 0
        while (end := at + LENGTH_BYTES + int.from_bytes(stream[at : at + LENGTH_BYTES], "big")) <= len(stream):
            messages.append(stream[at + LENGTH_BYTES : end])
            at = end
        self._rest = stream[at:]
        return messages


def framed(message: bytes) -> bytes:
    """A message of at most 65535 bytes as it stands in a stream."""
    return len(message).to_bytes(LENGTH_BYTES, "big") + message
