"""Port: a queue of frames that select can wait for, one end of an attachment."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from netsim.wire.link_layer import Frame

if TYPE_CHECKING:
    from netsim.wire.attachment import Attachment

Accepts = Callable[[Frame], bool]


class Port:
    """A queue of frames with a file descriptor; what does not pass `accepts` is not offered."""

    def __init__(self, attachment: Attachment, accepts: Accepts, *, is_listener: bool) -> None:
        self.attachment = attachment
        self.is_listener = is_listener
        self.has_sent = False
        self.has_waited = False
        # Who opens a listening port reads it; one to send with is perhaps read by nobody.
        self.reader = threading.current_thread() if is_listener else None
        self.is_idle = False  # its reader waits for more
        self.is_waited_for = False  # and lets no time pass itself
        self.is_over = False
        self._accepts = accepts
        self._frames: deque[Frame] = deque()
        self._there, self._signal = socket.socketpair()
        attachment.open(self)

    def fileno(self) -> int:
        """Readable while there is a frame, or no more can come."""
        return self._there.fileno()

    def offer(self, frame: Frame) -> None:
        """Take a frame in, if it is wanted."""
        if self._accepts(frame) and not self.is_over:
            if not self._frames:
                self._signal.send(b"x")
            self._frames.append(frame)

    def take(self) -> Frame | None:
        """The next frame, None if there is none."""
        with self.attachment.lock:
            if not self._frames:
                return None
            frame = self._frames.popleft()
            if not self._frames and not self.is_over:
                self._there.recv(1)
            return frame

    def end(self) -> None:
        """No more can come: readers get what is there, then end-of-file."""
        if not self.is_over:
            self.is_over = True
            if not self._frames:
                self._signal.send(b"x")

    def close(self) -> None:
        """Take no more frames; what was sent through it alone is let arrive."""
        if self.fileno() >= 0:
            self.attachment.close(self)
            self._there.close()
            self._signal.close()

    @property
    def is_drained(self) -> bool:
        """Whether its reader has read all and waits for more (or is gone)."""
        if self.is_over or self.reader is None or not self.reader.is_alive():
            return True
        return not self._frames and self.is_idle
