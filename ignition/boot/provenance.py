# SPDX-License-Identifier: Apache-2.0
"""Find the line and the source of a place in the merged config, for the message of a failed stage.

The fetch stage writes the unmerged documents to a file that only root can read. A later stage that
fails reads them, merges them again and searches the place. A boot that passes only writes this file.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ignition.config.merge import merge
from ignition.config.origins import Document, Merged, Tree, origins
from ignition.config.parse import parse
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host.files import atomic
from ignition.schemas.config import Config

__all__ = ["path_beside", "place", "save"]


def path_beside(state_file: str) -> str:
    """Return the path of the file of documents, beside the state file."""
    return os.path.join(os.path.dirname(state_file), "documents.json")


def save(path: str, tree: Tree) -> None:
    """Write the documents of a merged config, readable by root only, because they hold its secrets."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
    atomic.write(path, json.dumps(_to_json(tree)).encode(), 0o600)


def place(path: str, base: Config | None, where: ConfigPath) -> str:
    """Return the line and the source of a place in the full config: "line 12 of the config from qemu".

    Args:
        path: the file that `save` wrote.
        base: the merged base configs, which the documents are merged over.
        where: the place in the full config.

    Returns:
        An empty text where the place cannot be found; no error is raised, so that the failure of the
        stage is reported in any case.
    """
    try:
        with open(path, encoding="utf-8") as file:
            tree = _from_json(json.load(file))
        if base is not None:
            tree = Merged(merge(base, tree.config), Document(base, "the image's base configs"), tree)
        found = origins(tree, where)
    except (OSError, ValueError, TypeError, KeyError, IgnitionError):
        return ""
    return " and ".join(dict.fromkeys(_line(origin.document, origin.path) for origin in found))


def _line(document: Document, path: ConfigPath) -> str:
    from ignition.config.json.positions import Places

    if not document.data:
        return document.source
    return f"line {Places(document.data).of(path).line} of {document.source}"


def _to_json(tree: Tree) -> dict[str, Any]:
    if isinstance(tree, Merged):
        return {"parent": _to_json(tree.parent), "child": _to_json(tree.child)}
    return {"source": tree.source, "data": tree.data.decode("utf-8", "surrogateescape")}


def _from_json(raw: dict[str, Any]) -> Tree:
    if "parent" in raw:
        parent, child = _from_json(raw["parent"]), _from_json(raw["child"])
        return Merged(merge(parent.config, child.config), parent, child)
    data = raw["data"].encode("utf-8", "surrogateescape")
    return Document(parse(data).config, raw["source"], data)
