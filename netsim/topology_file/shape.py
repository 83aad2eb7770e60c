"""Does the tree have the shape of a topology file? Every problem found, and what is left without them.

Loading goes on after a wrong entry, so that one run shows what is wrong anywhere in the file: the
smallest list entry around each problem is taken out, the rest is read, and whoever looks for what was
taken out (`Shape.lost`) gets no second error for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from netsim.errors import Problem
from netsim.topology_file.json_schema import piece_at
from netsim.topology_file.schema import FORMAT_VERSION, TopologyFile
from netsim.topology_file.text import did_you_mean, quoted, shown, suggestion
from netsim.topology_file.tree import Path, Tree, format_path

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_DETAILS = 500


class Shape:
    """The file as models, with `problems`; `index` gives an entry's place in the file's list.

    `lost` holds the paths of the entries that were taken out, with the raw value of each.
    `file` is None when nothing is left to go on with.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.problems: list[Problem] = []
        self.lost: dict[Path, Any] = {}
        self._kept: dict[Path, list[int]] = {}
        self.file: TopologyFile | None = self._read()

    def index(self, list_path: Path, i: int) -> int:
        """The index in the file of the i-th entry of a list in `file`."""
        kept = self._kept.get(list_path)
        return i if kept is None else kept[i]

    def place_problem(self, path: Path, message: str, *, of_key: bool = False) -> Problem:
        """A problem at a path of the file."""
        line, column = self.tree.place(path, of_key=of_key)
        return Problem(line, column, format_path(path), message)

    def place_line(self, path: Path) -> int:
        """The line of the value at a path of the file."""
        return self.tree.place(path).line

    def _read(self) -> TopologyFile | None:
        root = self.tree.root
        if not isinstance(root, dict):
            message = f"{shown(root)}, expected a mapping that starts with netsim: {FORMAT_VERSION}"
            self.problems.append(self.place_problem((), message))
            return None
        try:
            return TopologyFile.model_validate(root)
        except ValidationError as error:
            n_problems = error.error_count()
            details = error.errors(include_url=False) if n_problems <= MAX_DETAILS else _first_details(root, error)
        if n_problems > MAX_DETAILS:
            # Such a file was made by a wrong program; going on would not tell its author more.
            for detail in details[:MAX_DETAILS]:
                self._note(detail, {})
            self.problems.append(Problem(0, 0, "", f"{n_problems:,} problems, of which some are listed"))
            return None
        taken: dict[Path, None] = {}
        for detail in details:
            self._note(detail, taken)
        try:
            return TopologyFile.model_validate(self._without(taken))
        except ValidationError:
            return None

    def _note(self, detail: ErrorDetails, taken: dict[Path, None]) -> None:
        path = detail["loc"]
        kind = detail["type"]
        value = detail["input"]
        if kind == "extra_forbidden":
            taken[path] = None
            owner, key = path[:-1], str(path[-1])
            message = f"unknown key {quoted(key)}" + did_you_mean(key, piece_at(owner).get("properties", {}))
            line, column = self.tree.place(path, of_key=True)
            self.problems.append(Problem(line, column, format_path(owner), message))
            return
        self._take_out(path, taken)
        if kind == "missing":
            owner, key = path[:-1], str(path[-1])
            # The unknown key next to it is the same mistake.
            known = piece_at(owner).get("properties", {})
            if not any(given not in known and suggestion(str(given), known) == key for given in value):
                self.problems.append(self.place_problem(owner, f'"{key}" is missing{_like(piece_at(path))}'))
            return
        message = detail["msg"] if kind == "text_expected" else f"{shown(value)}{_accepted(path, kind, value)}"
        self.problems.append(self.place_problem(path, message))

    def _take_out(self, path: Path, taken: dict[Path, None]) -> None:
        """Mark the smallest list entry around `path`, or its top-level key."""
        numbers = [depth for depth, part in enumerate(path) if isinstance(part, int)]
        # Entries of `listen` are no entries of their own: an instance without its port is another instance.
        depths = [depth for depth in numbers if path[depth - 1] != "listen"]
        around = path[: depths[-1] + 1] if depths else path[:1]
        if around not in taken:
            taken[around] = None
            value: Any = self.tree.root
            for part in around:
                value = value[part] if not isinstance(value, dict) or part in value else None
            self.lost[around] = value

    def _without(self, taken: dict[Path, None]) -> Any:
        """The tree without what was taken out: copies only what leads there."""
        leads_there = {gone[:depth] for gone in taken for depth in range(len(gone))}

        def rebuild(node: Any, path: Path) -> Any:
            if path not in leads_there:
                return node
            if isinstance(node, dict):
                left = [(key, value) for key, value in node.items() if (*path, key) not in taken]
                return {key: rebuild(value, (*path, key)) for key, value in left}
            kept = self._kept[path] = [i for i in range(len(node)) if (*path, i) not in taken]
            return [rebuild(node[i], (*path, i)) for i in kept]

        # Stand-ins for the two keys a file can't do without; their absence has been noted.
        return {"netsim": FORMAT_VERSION, "name": "unnamed", **rebuild(self.tree.root, ())}


def _first_details(root: Any, error: ValidationError) -> list[ErrorDetails]:
    """The problems at the heads of all lists: details of a million would take a gigabyte."""

    def head(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: head(value) for key, value in node.items()}
        return [head(item) for item in node[:MAX_DETAILS]] if isinstance(node, list) else node

    try:
        TopologyFile.model_validate(head(root))
    except ValidationError as shorter:
        return shorter.errors(include_url=False)
    return error.errors(include_url=False, include_context=False)


def _like(piece: dict[str, Any]) -> str:
    examples = piece.get("examples")
    if examples:
        return f", expected like {examples[0]}"
    if "enum" in piece:
        return f", accepted {_choice(piece['enum'])}"
    text = _range(piece)
    return f", accepted {text}" if text else ""


def _accepted(path: Path, kind: str, value: object) -> str:
    """`, accepted …` of a value that has the wrong type or lies outside."""
    piece = piece_at(path)
    if "errorMessage" in piece:
        return f", {piece['errorMessage']}"
    if "enum" in piece:
        near = suggestion(value, piece["enum"]) if isinstance(value, str) else ""
        return f", accepted {_choice(piece['enum'])}" + (f' — did you mean "{near}"?' if near else "")
    expected = {"object": "a mapping", "array": "a list", "boolean": "true or false"}.get(piece.get("type", ""))
    if expected:
        return f", accepted {expected}"
    text = _range(piece)
    if kind.endswith(("_type", "finite_number", "from_float")) and piece.get("type") != "string":
        return f", accepted {'an integer' if piece.get('type') == 'integer' else 'a number'} {text}".rstrip()
    if piece.get("type") == "string" and not isinstance(value, str):
        hint = f' (quote it: "{value}")' if isinstance(value, int | float) and not isinstance(value, bool) else ""
        return f", accepted text{hint}"
    return f", accepted {text}" if text else ", not accepted here"


def _choice(words: list[str]) -> str:
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else words[0]


def _range(piece: dict[str, Any]) -> str:
    """`1..1000`, `above 0, at most 10`, `1..65 characters`."""
    if piece.get("type") == "string":
        low, high = piece.get("minLength", 0), piece.get("maxLength")
        return f"{low}..{high} characters" if high else ""
    low, above, high = piece.get("minimum"), piece.get("exclusiveMinimum"), piece.get("maximum")
    if low is not None and high is not None:
        return f"{low:,}..{high:,}".replace(",", "") if high < 10**7 else f"{low}..{high}"
    if above is not None:
        return f"above {above}" + (f", at most {high:g}" if high is not None else "")
    return f"{low} or more" if low is not None else ""
