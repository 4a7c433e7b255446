# SPDX-License-Identifier: Apache-2.0
"""Modules that the packed Python gets in another form, and modules that are hidden from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import IgnitionError
from ignition.initramfs import substitutes
from ignition.resource import tls


def execute(source: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(source, names)
    return names


def test_certifi_names_bundle_of_system(tmp_path: Path) -> None:
    bundle = tmp_path / "ca'bundle.crt"
    bundle.write_text("PEM")
    module = execute(substitutes.certifi(str(bundle)))
    where, contents = module["where"], module["contents"]
    assert callable(where)
    assert callable(contents)
    assert where() == str(bundle)
    assert contents() == "PEM"


def test_ctypes_util_returns_answers_of_build_host() -> None:
    find = execute(substitutes.ctypes_util({"udev": "libudev.so.1", "nothing": None}))["find_library"]
    assert callable(find)
    assert [find(name) for name in ("udev", "nothing", "unknown")] == ["libudev.so.1", None, None]


def test_ca_bundle_is_the_one_that_the_engine_uses() -> None:
    assert substitutes.ca_bundle() == tls.system_bundle()


def test_ca_bundle_not_found_is_error_with_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "system_bundle", lambda: "")
    with pytest.raises(IgnitionError) as caught:
        substitutes.ca_bundle()
    assert "ca-certificates" in caught.value.hint


def test_hidden_lists_distributions_that_engine_does_not_require() -> None:
    hidden = substitutes.hidden(["pydantic", "requests", "pyudev"])
    assert {"pytest", "mypy", "hypothesis", "boto3", "charset_normalizer", "bz2"} <= set(hidden)
    needed = {
        "pydantic",
        "pydantic_core",
        "annotated_types",
        "typing_extensions",
        "urllib3",
        "idna",
        "certifi",
    }
    assert not needed & set(hidden)
    assert "ignition" not in hidden


def test_requirements_exclude_optional_extras() -> None:
    # requests[socks] wants PySocks, pydantic[email] wants email-validator.
    assert "pysocks" not in substitutes.requirements("requests")
    assert "urllib3" in substitutes.requirements("requests")
    assert substitutes.requirements("no-such-distribution") == []
