"""Where a TCP end's numbers start, and how 32-bit numbers and 31-bit ticks are read back.

RFC 9293 section 3.4.1 adds a clock and a secret to the initial sequence number, against guessing;
here the same run must give the same bytes, so it is a function of the four-tuple alone.
"""

from __future__ import annotations

from netsim.jit import kernel

M32 = 0xFFFF_FFFF
_HALF = 1 << 31
TICK_BITS = 10
"""A tick of the timestamps option is 1024 ns."""
M31 = 0x7FFF_FFFF


@kernel(is_inline=False)
def initial_number(local_addr: int, remote_addr: int, local_port: int, remote_port: int) -> int:
    """The initial sequence number, 0..2^32-1, of the end with this address and port."""
    number = local_addr
    for word in (remote_addr, local_port << 16 | remote_port, 0x6E65_7473):
        # Multiply and fold; the multiplier has 27 bits, so that nothing passes 2^63.
        number = (number ^ number >> 15) * 0x45D_9F3B & M32
        number = (number ^ number >> 13) * 0x2C1B_3C6D & M32
        number = number ^ number >> 16 ^ word
    number = (number ^ number >> 15) * 0x45D_9F3B & M32
    return number ^ number >> 16


@kernel
def unwrapped(number: int, near: int) -> int:
    """The integer closest to `near` (at most 2^31 off) whose low 32 bits are `number`."""
    return near + ((number - near + _HALF & M32) - _HALF)


@kernel
def tick(at_ns: int) -> int:
    """The timestamp clock at this time: 1024 ns a tick, 31 bits."""
    return at_ns >> TICK_BITS & M31
