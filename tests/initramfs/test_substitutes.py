"""What the packed Python gets in another form, and what it is not to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import IgnitionError
from ignition.initramfs.shims import substitutes


def execute(source: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(source, names)
    return names


def test_certifi_names_the_system_s_bundle(tmp_path: Path) -> None:
    bundle = tmp_path / "ca'bundle.crt"
    bundle.write_text("PEM")
    module = execute(substitutes.authorities(str(bundle)))
    where, contents = module["where"], module["contents"]
    assert callable(where)
    assert callable(contents)
    assert where() == str(bundle)
    assert contents() == "PEM"


def test_libraries_are_found_by_the_answers_of_the_building_machine() -> None:
    find = execute(substitutes.library_finder({"udev": "libudev.so.1", "nothing": None}))["find_library"]
    assert callable(find)
    assert [find(name) for name in ("udev", "nothing", "unknown")] == ["libudev.so.1", None, None]


def test_the_first_bundle_that_is_there_is_taken(tmp_path: Path) -> None:
    present = tmp_path / "present.crt"
    present.touch()
    assert substitutes.ca_bundle([str(tmp_path / "absent.crt"), str(present)]) == str(present)


def test_a_system_without_authorities_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IgnitionError) as caught:
        substitutes.ca_bundle([str(tmp_path / "absent.crt")])
    assert "ca-certificates" in caught.value.hint


def test_what_is_installed_beside_the_engine_is_hidden() -> None:
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


def test_optional_extras_are_no_requirements() -> None:
    # requests[socks] wants PySocks, pydantic[email] wants email-validator.
    assert "pysocks" not in substitutes.requirements("requests")
    assert "urllib3" in substitutes.requirements("requests")
    assert substitutes.requirements("no-such-distribution") == []
