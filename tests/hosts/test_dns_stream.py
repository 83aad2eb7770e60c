"""Messages out of a TCP stream, however it is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netsim.hosts.dns_stream import DnsStream, framed


@given(st.lists(st.binary(max_size=700), max_size=6), st.data())
def test_what_was_framed_comes_back_whole_and_in_order_wherever_it_is_cut(
    messages: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(map(framed, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = DnsStream()
    pieces = [stream[i:j] for i, j in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [message for piece in pieces for message in reader.take(piece)] == messages


def test_what_is_not_whole_waits() -> None:
    reader = DnsStream()
    assert reader.take(b"\0") == []
    assert reader.take(b"\3ab") == []
    assert reader.take(b"c\0\1") == [b"abc"]
    assert reader.take(b"d") == [b"d"]
