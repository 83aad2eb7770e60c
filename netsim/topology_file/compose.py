"""YAML or JSON text to a `Tree`.

libyaml's event stream is composed here in one loop. libyaml's own composer recurses (and crashes
on deep nesting), PyYAML's constructor speaks YAML 1.1 and forgets places. Depth, values, lengths
and what aliases stand for are counted *while reading*, so that a small hostile file can't become
a large structure: libyaml's scanner is quadratic in flow depth, and an alias bomb is exponential.

Decided: keys are text as written (`1: x` has the key "1"); a duplicate key is an error; merge keys
(`<<`) are an error, YAML 1.2 has none; aliases are accepted and share the value they name; one
document a file.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs forget it
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.reader import ReaderError

from netsim.errors import Problem, TopologyError
from netsim.topology_file.scalar import CORE_TAGS, Scalar, ScalarError, resolve, resolve_tagged
from netsim.topology_file.text import quoted
from netsim.topology_file.tree import MapNode, SeqNode, Tree, format_path, pack, unpack

MAX_DEPTH = 32
MAX_VALUES = 2_000_000
"""200,000 routes are 1.4 million, keys included."""
MAX_ITEMS = 300_000
"""In one list; a list that long is read in a second."""
MAX_KEYS = 1_000
"""In one mapping; looking for places is linear in it."""
MAX_SCALAR_CHARS = 65_536
MAX_PROBLEMS = 100
_MAX_KNOWN = 16_384

_UNKNOWN: Any = object()


def parse_tree(data: bytes, file_name: str) -> Tree:
    """Compose one document of UTF-8 text.

    Raises:
        TopologyError: a syntax error (the first one; nothing after it can be trusted) or a budget that
            is used up, and what was found before it.
    """
    if data.startswith(b"%TAG") or b"\n%TAG" in data:
        # libyaml compares each of them with all before, and nothing here has tags.
        raise TopologyError(file_name, [Problem(1, 1, "", "tag directives (%TAG) are not accepted")])
    composer = _Composer()
    try:
        return composer.compose(CParser(data))
    except _StopError as stop:
        last = stop.problem
    except ReaderError as error:
        before = data[: error.position]
        code = error.character
        message = f"character {f'U+{code:04X}' if isinstance(code, int) else quoted(str(code))} is not accepted"
        last = Problem(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"), "", message)
    except MarkedYAMLError as error:
        last = _syntax_problem(error)
    except YAMLError as error:
        last = Problem(0, 0, "", f"is not YAML: {quoted(str(error))}")
    raise TopologyError(file_name, [*composer.problems, last])


def _syntax_problem(error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = error.problem or "syntax error"
    if error.context:
        what = f"{what} ({error.context})"
    if "cannot start any token" in what:
        what = "a tab or a character that can't start a value; indent with spaces, quote such text"
    return Problem(mark.line + 1 if mark else 0, mark.column + 1 if mark else 0, "", f"is not YAML: {what}")


class _StopError(Exception):
    """Reading stops here."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Anchor:
    """What an alias stands for: the value, how many values that is (0: still open), its height."""

    __slots__ = ("height", "n_values", "value")

    def __init__(self, value: Any, n_values: int) -> None:
        self.value = value
        self.n_values = n_values
        self.height = 0


class _Frame:
    """An open container. `key` waits for its value; `is_kept` is False while that of a refused key passes by."""

    __slots__ = ("anchor", "first_value", "height", "is_kept", "is_map", "key", "node", "places")

    def __init__(self, node: Any, places: list[int], anchor: _Anchor | None, first_value: int) -> None:
        self.node = node
        self.is_map = isinstance(node, MapNode)
        self.places = places
        self.key: str | None = None
        self.is_kept = True
        self.anchor = anchor
        self.first_value = first_value
        self.height = 1


class _Composer:
    """The loop and its state; used once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._places: array[int] = array("Q")
        self._anchors: dict[str, _Anchor] = {}
        # The document itself is the only item of a list that is never closed.
        self._document = _Frame(SeqNode(), [], None, 0)
        self._stack = [self._document]
        self._n_documents = 0
        self._n_values = 0
        self._keys: dict[str, str] = {}
        self._known: dict[str, Scalar] = {}
        self._handlers: dict[type, Callable[[Any], None]] = {
            MappingStartEvent: self._open,
            SequenceStartEvent: self._open,
            MappingEndEvent: self._close,
            SequenceEndEvent: self._close,
            AliasEvent: self._alias,
            DocumentStartEvent: self._start_document,
        }

    def compose(self, parser: Any) -> Tree:
        """Read all events of the stream."""
        # Scalars are three events of four. What they need stands in the loop, and what they share is looked
        # up by text (keys, repeated values): a third less time and half the memory for 200,000 routes.
        get_event, stack, handlers = parser.get_event, self._stack, self._handlers
        keys, known = self._keys, self._known
        frame = stack[-1]
        while (event := get_event()) is not None:
            if type(event) is not ScalarEvent:
                if handler := handlers.get(type(event)):
                    handler(event)
                    frame = stack[-1]
                continue
            mark: Any = event.start_mark
            packed = (mark.line + 1) << 32 | (mark.column + 1)
            self._n_values = n_values = self._n_values + 1
            if n_values > MAX_VALUES:
                self._check_budget("", packed)
            if frame.is_map and frame.key is None:
                key = keys.get(event.value)
                if key is None or key in frame.node:
                    self._take_key(frame, event, packed)
                else:
                    frame.key = key
                    frame.is_kept = True
                    frame.places.append(packed)
                continue
            is_plain = event.implicit[0] and event.tag is None
            value = known.get(event.value, _UNKNOWN) if is_plain else _UNKNOWN
            if value is _UNKNOWN:
                value = self._scalar(event, packed)
            if event.anchor:
                self._anchors[event.anchor] = _Anchor(value, 1)
            if frame.is_map and frame.is_kept:
                frame.node[frame.key] = value
                frame.places.append(packed)
                frame.key = None
            else:
                self._attach(frame, value, packed)
        document = self._document
        root = document.node[0] if document.node else None
        return Tree(root, document.places[0] if document.node else pack(1, 1), self._places, self.problems)

    def _attach(self, frame: _Frame, value: Any, packed: int) -> None:
        if not frame.is_map:
            if len(frame.places) > MAX_ITEMS:
                raise self._stop(packed, f"more than {MAX_ITEMS:,} items in one list")
            frame.node.append(value)
            frame.places.append(packed)
            return
        if frame.is_kept:
            frame.node[frame.key] = value
            frame.places.append(packed)
        frame.key = None

    def _take_key(self, frame: _Frame, event: Any, packed: int) -> None:
        """A key that is new to the file, or already in the mapping."""
        text: str = event.value
        frame.key = text
        frame.is_kept = False
        if text in frame.node:
            first = frame.places[1 + 2 * list(frame.node).index(text)]
            self._note(packed, f"duplicate key {quoted(text)}, first given in line {unpack(first).line}")
        elif text == "<<" and event.implicit[0]:
            self._note(packed, "merge keys (<<) are not part of YAML 1.2; write the keys out, or alias a whole value")
        else:
            self._check_budget(text, packed)
            if len(frame.node) >= MAX_KEYS:
                raise self._stop(packed, f"more than {MAX_KEYS:,} keys in one mapping")
            if len(self._keys) < _MAX_KNOWN:
                self._keys[text] = text
            frame.is_kept = True
            frame.places.append(packed)

    def _scalar(self, event: Any, packed: int) -> Scalar:
        text: str = event.value
        self._check_budget(text, packed)
        try:
            if event.tag is not None and not event.implicit[1]:
                return resolve_tagged(text, event.tag)
            if not event.implicit[0]:
                return text
            value = resolve(text)
        except ScalarError as error:
            self._note(packed, str(error))
            return None
        # Bounded, so that a file of all different texts does not fill this too.
        if len(self._known) < _MAX_KNOWN:
            self._known[text] = value
        return value

    def _open(self, event: Any) -> None:
        packed = pack(event.start_mark.line + 1, event.start_mark.column + 1)
        is_map = type(event) is MappingStartEvent
        node: Any = MapNode() if is_map else SeqNode()
        self._n_values += 1
        self._check_budget("", packed)
        if len(self._stack) > MAX_DEPTH:
            raise self._stop(packed, f"nested more than {MAX_DEPTH} deep")
        if event.tag is not None and CORE_TAGS.get(event.tag) != ("map" if is_map else "seq"):
            self._note(packed, f"the tag {quoted(event.tag)} is not accepted here")
        frame = self._stack[-1]
        if frame.is_map and frame.key is None:
            raise self._stop(packed, "a key must be plain text, not a mapping or a list")
        self._attach(frame, node, packed)
        anchor = None
        if event.anchor:
            anchor = self._anchors[event.anchor] = _Anchor(node, 0)
        self._stack.append(_Frame(node, [packed], anchor, self._n_values))

    def _close(self, _event: Any) -> None:
        frame = self._stack.pop()
        if frame.is_map and len(frame.node) > MAX_KEYS:
            raise self._stop(frame.places[0], f"more than {MAX_KEYS:,} keys in one mapping")
        frame.node.block = len(self._places)
        self._places.extend(frame.places)
        if frame.anchor is not None:
            frame.anchor.n_values = self._n_values - frame.first_value + 1
            frame.anchor.height = frame.height
        parent = self._stack[-1]
        parent.height = max(parent.height, frame.height + 1)

    def _alias(self, event: Any) -> None:
        packed = pack(event.start_mark.line + 1, event.start_mark.column + 1)
        anchor = self._anchors.get(event.anchor)
        frame = self._stack[-1]
        name = quoted("*" + event.anchor)
        if anchor is None:
            raise self._stop(packed, f"alias {name}: there is no anchor of that name before it")
        if frame.is_map and frame.key is None:
            raise self._stop(packed, "a key must be plain text, not an alias")
        if anchor.n_values == 0:
            raise self._stop(packed, f"alias {name}: it stands inside the value it names")
        # What validation will see: the named value again, not a reference to it.
        self._n_values += anchor.n_values
        self._check_budget("", packed)
        if len(self._stack) - 1 + anchor.height > MAX_DEPTH:
            raise self._stop(packed, f"nested more than {MAX_DEPTH} deep")
        frame.height = max(frame.height, anchor.height + 1)
        self._attach(frame, anchor.value, packed)

    def _start_document(self, event: Any) -> None:
        self._n_documents += 1
        if self._n_documents > 1:
            packed = pack(event.start_mark.line + 1, event.start_mark.column + 1)
            raise self._stop(packed, "a second document starts here, accepted: one a file")

    def _check_budget(self, text: str, packed: int) -> None:
        if self._n_values > MAX_VALUES:
            raise self._stop(packed, f"more than {MAX_VALUES:,} values in the file, aliases counted as what they name")
        if len(text) > MAX_SCALAR_CHARS:
            raise self._stop(packed, f"{len(text):,} characters, accepted up to {MAX_SCALAR_CHARS:,}")

    def _note(self, packed: int, message: str) -> None:
        self.problems.append(Problem(*unpack(packed), self._path(), message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise self._stop(packed, f"{MAX_PROBLEMS} problems so far, reading stops")

    def _stop(self, packed: int, message: str) -> _StopError:
        return _StopError(Problem(*unpack(packed), self._path(), message))

    def _path(self) -> str:
        """The path of what is being read."""
        *around, innermost = self._stack[1:] or [self._document]
        # An open container stands in its parent already, as the last item.
        parts: list[str | int] = [
            quoted(next(reversed(frame.node), ""))[1:-1] if frame.is_map else len(frame.node) - 1 for frame in around
        ]
        if innermost.is_map and innermost.key is not None:
            parts.append(quoted(innermost.key)[1:-1])
        elif not innermost.is_map and innermost is not self._document:
            parts.append(len(innermost.node))
        return format_path(parts)
