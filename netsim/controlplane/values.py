"""Values of edits, checked where they enter: text becomes integers, the rest is refused with its field.

Every refusal names the thing, what was given and what is accepted, on one line. `true` is not a
number here, whatever Python says.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

from netsim import prefix
from netsim.errors import InvalidError
from netsim.prefix import ADDR_BITS, MAX_ADDR, Prefix

MAX_NAME_CHARS = 65
MAX_DESCRIPTION_CHARS = 200
MAX_TAGS = 50
MAX_TAG_CHARS = 128
Tags = tuple[tuple[str, str], ...]
"""A tenant's own labels of a resource: (key, value), keys unique, in the order given."""
_SHOWN_CHARS = 60

# Routes repeat their sources, files repeat their prefixes: 200,000 routes load a fifth faster.
_parse_prefix = lru_cache(maxsize=65_536)(prefix.parse_prefix)


def quote(value: object) -> str:
    """The value as a message shows it: text in double quotes, on one line, cut when long."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    if len(text) > _SHOWN_CHARS:
        text = text[:_SHOWN_CHARS] + "…"
    return f'"{text}"' if isinstance(value, str) else text


def suggest(given: object, known: Iterable[str]) -> str:
    """`, did you mean "shop"?` when one of the known names is close, else nothing."""
    close = get_close_matches(given, list(known), n=1) if isinstance(given, str) else []
    return f", did you mean {quote(close[0])}?" if close else ""


def to_prefix(value: str | Prefix, what: str, field: str) -> Prefix:
    """The prefix of a text like 10.1.0.0/16, or a `Prefix` as it is.

    Raises:
        InvalidError: not a prefix, or host bits set (the message names the right one).
    """
    if type(value) is str:
        try:
            return _parse_prefix(value)
        except InvalidError as error:
            reason = str(error) if len(value) <= _SHOWN_CHARS and value.isprintable() else ""
        given = quote(value)
        raise InvalidError(f"{what}: {reason or f'{given} is not a prefix, expected like 10.1.0.0/16'}", field=field)
    if isinstance(value, Prefix):
        network, prefix_len = value
        if not (type(network) is type(prefix_len) is int and 0 <= prefix_len <= ADDR_BITS and 0 <= network <= MAX_ADDR):
            raise InvalidError(f"{what}: {tuple(value)} is not a prefix, expected like 10.1.0.0/16", field=field)
        if network & (MAX_ADDR >> prefix_len):
            right = prefix.prefix_of(network, prefix_len)
            raise InvalidError(f"{what}: {value} has host bits set, did you mean {right}?", field=field)
        return value
    raise InvalidError(f"{what}: {quote(value)} is not a prefix, expected like 10.1.0.0/16", field=field)


def to_addr(value: str | int, what: str, field: str) -> int:
    """The address of a dotted quad, or an integer 0..2^32-1 as it is.

    Raises:
        InvalidError: anything else.
    """
    if type(value) is int and 0 <= value <= MAX_ADDR:
        return value
    if not isinstance(value, str) or len(value) > _SHOWN_CHARS or not value.isprintable():
        raise InvalidError(f"{what}: {quote(value)} is not an IPv4 address, expected like 10.1.0.20", field=field)
    try:
        return prefix.parse_addr(value)
    except InvalidError as error:
        raise InvalidError(f"{what}: {error}", field=field) from None


def check_name(value: str, what: str, field: str = "name") -> str:
    """A name people give: 1..65 printable characters, no slash (`vpc/name` is a reference), no space at an end.

    Raises:
        InvalidError: anything else.
    """
    if (
        type(value) is str
        and 0 < len(value) <= MAX_NAME_CHARS
        and value.isprintable()
        and "/" not in value
        and value[0] != " " != value[-1]
    ):
        return value
    raise InvalidError(
        f"{what}: name {quote(value)}, accepted 1..{MAX_NAME_CHARS} printable characters without a slash",
        field=field,
    )


def check_description(value: str, what: str, field: str = "description") -> str:
    """A description: up to 200 characters.

    Raises:
        InvalidError: longer, or no text.
    """
    if not isinstance(value, str) or len(value) > MAX_DESCRIPTION_CHARS:
        raise InvalidError(
            f"{what}: description {quote(value)}, accepted a text of up to {MAX_DESCRIPTION_CHARS} characters",
            field=field,
        )
    return value


def check_tags(value: Tags, what: str, field: str = "tags") -> Tags:
    """Tags: pairs of printable texts, no key twice, no empty key.

    Raises:
        InvalidError: anything else.
    """
    if (
        isinstance(value, tuple)
        and len(value) <= MAX_TAGS
        and all(isinstance(pair, tuple) and len(pair) == 2 and pair[0] != "" for pair in value)
        and all(
            type(text) is str and len(text) <= MAX_TAG_CHARS and text.isprintable() for pair in value for text in pair
        )
        and len({key for key, _ in value}) == len(value)
    ):
        return value
    raise InvalidError(
        f"{what}: tags {quote(value)}, accepted up to {MAX_TAGS} pairs of a key and a value of up to {MAX_TAG_CHARS} "
        "printable characters, each key once",
        field=field,
    )


def check_integer(value: int, low: int, high: int, what: str, field: str) -> int:
    """An integer low..high; booleans and floats are none.

    Raises:
        InvalidError: anything else.
    """
    if type(value) is not int or not low <= value <= high:
        raise InvalidError(f"{what}: {field} {quote(value)}, accepted an integer {low}..{high}", field=field)
    return value


def check_flag(value: bool, what: str, field: str) -> bool:
    """True or false, and nothing that merely looks like it.

    Raises:
        InvalidError: anything else.
    """
    if not isinstance(value, bool):
        raise InvalidError(f"{what}: {field} {quote(value)}, accepted true or false", field=field)
    return value


def check_choice(value: str, choices: tuple[str, ...], what: str, field: str) -> str:
    """One of a few words.

    Raises:
        InvalidError: anything else.
    """
    if not isinstance(value, str) or value not in choices:
        accepted = " or ".join(choices) if len(choices) == 2 else f"one of {', '.join(choices)}"
        raise InvalidError(f"{what}: {field} {quote(value)}, accepted {accepted}{suggest(value, choices)}", field=field)
    return value
