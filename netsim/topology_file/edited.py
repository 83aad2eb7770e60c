"""Edits of the control plane, written into the topology file that the network came from.

An edit names things by id; here they become the entries of the file that made them. What a file can't
say is refused: the file stays as it is. What was edited has been loaded, so it is a topology file.

    EditableFile.read(path)   the file, and the network that it loads to
    .with_edits(edits)        the same with the edits made: another one; nothing is written to disk
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netsim.collector import paused_collector
from netsim.controlplane.edit import Edit
from netsim.errors import InvalidError, TopologyError
from netsim.topology_file.compose import parse_tree
from netsim.topology_file.edit_text import TextChanges
from netsim.topology_file.edit_writer import EditWriter
from netsim.topology_file.loader import Topology, topology_of
from netsim.topology_file.source import as_utf8, read_source
from netsim.topology_file.tree import Tree

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(frozen=True, slots=True)
class EditableFile:
    """A topology file and what it loads to.

    Attributes:
        path: of the file.
        source: its bytes.
        topology: what they load to.
        tree: what they read as.
        seed: given by the caller, None for the file's own.
    """

    path: Path
    source: bytes
    topology: Topology
    tree: Tree
    seed: int | None = None

    @classmethod
    @paused_collector()
    def read(cls, path: str | Path, seed: int | None = None) -> EditableFile:
        """Read and load a file; `seed` as `load_topology` takes it.

        Raises:
            TopologyError: with every problem found.
        """
        source = read_source(path)
        tree = parse_tree(as_utf8(source, str(path)), str(path))
        return cls(Path(path), source, topology_of(tree, str(path), Path(path), seed), tree, seed)

    @property
    def text(self) -> str:
        """The file as text, without a byte order mark."""
        bom, encoding = _encoding(self.source)
        return self.source[len(bom) :].decode(encoding)

    def changes(self, edits: Iterable[Edit[Any]]) -> TextChanges:
        """What the edits change in the text; not made yet.

        Raises:
            InvalidError: a change that a file can't say.
            NotFoundError: an edit names what is not there.
        """
        changes = TextChanges(self.text, self.tree)
        writer = EditWriter(changes, self.topology.inventory)
        for edit in edits:
            writer.write(edit)
        writer.finish()
        return changes

    @paused_collector()
    def with_edits(self, edits: Iterable[Edit[Any]]) -> EditableFile:
        """The file with the edits made, every other byte as it was.

        Args:
            edits: in order; what they name is looked up in the topology's inventory, which is not changed.

        Raises:
            InvalidError: a change that a file can't say, or that can't be made without changing more.
            NotFoundError: an edit names what is not there.
        """
        text, tree = self.changes(edits).made()
        bom, encoding = _encoding(self.source)
        try:
            topology = topology_of(tree, str(self.path), self.path, self.seed)
        except TopologyError as error:
            first = str(error).splitlines()[0]
            raise InvalidError(f"the change can't be written, the file would be wrong: {first}") from None
        if _is_json(self.text) and not _is_json(text):
            raise InvalidError(f"{self.path}: the change can't be written as JSON, edit the file by hand")
        return EditableFile(self.path, bom + text.encode(encoding), topology, tree, self.seed)


def _encoding(source: bytes) -> tuple[bytes, str]:
    """The byte order mark and the encoding behind it."""
    return next((pair for pair in _BOMS if source.startswith(pair[0])), (b"", "utf-8"))


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
