# SPDX-License-Identifier: Apache-2.0
"""Short notations for configs and findings in test tables."""

from __future__ import annotations

import json
from typing import Any

from ignition.config.parse import Checked, check
from ignition.schemas.spec import Spec

LETTERS = {"error": "E", "warning": "W"}


def text(fragment: dict[str, Any], spec: Spec = Spec.V3_6) -> bytes:
    """Return the document with this fragment and version."""
    ignition = {**fragment.get("ignition", {}), "version": spec.version}
    return json.dumps({**fragment, "ignition": ignition}, ensure_ascii=False).encode()


def verdict(fragment: dict[str, Any], spec: Spec = Spec.V3_6) -> list[str]:
    """Return the findings on a fragment, each as `E $.path` or `W $.path`."""
    return findings(check(text(fragment, spec)))


def findings(checked: Checked) -> list[str]:
    return [
        f"{LETTERS[entry.severity.value]} {'.'.join(('$', *map(str, entry.path or ())))}"
        for entry in checked.report
    ]


def since(spec: Spec) -> list[Spec]:
    """Return this version and all later ones."""
    return [one for one in Spec if one >= spec]


def before(spec: Spec) -> list[Spec]:
    """Return all versions before this one."""
    return [one for one in Spec if one < spec]
