# SPDX-License-Identifier: Apache-2.0
"""Check of a finished image: every packed file must be in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ignition.errors import IgnitionError
from ignition.initramfs import image

if TYPE_CHECKING:
    from tests.lab.programs import Programs

LISTING = """\
Image: initrd.img: 9M
========================================================================
dracut modules:
ignition
========================================================================
drwxr-xr-x   3 root     root            0 Jan  1 00:00 usr/lib
-rwxr-xr-x   1 root     root          331 Jan  1 00:00 usr/bin/ignition
lrwxrwxrwx   1 root     root           35 Jan  1 00:00 usr/bin/python3 -> ../lib/ignition-runtime/bin/python3
crw-r--r--   1 root     root       1,   3 Jan  1 00:00 dev/null
-rw-r--r--   1 root     root            7 Jan  1 00:00 a name with blanks
"""


def line(path: str) -> str:
    return f"-rw-r--r--   1 root     root            7 Jan  1 00:00 {path.lstrip('/')}\n"


@pytest.mark.parametrize(
    ("wanted", "absent"),
    [
        (["/usr/bin/ignition", "/usr/bin/python3", "/usr/lib", "/a name with blanks"], []),
        (["/usr/bin/ign"], ["/usr/bin/ign"]),
        (["/usr/lib/ignition-runtime/bin/python3"], ["/usr/lib/ignition-runtime/bin/python3"]),
        (["/b", "/a"], ["/a", "/b"]),
    ],
)
def test_missing_compares_whole_paths(wanted: list[str], absent: list[str]) -> None:
    assert image.missing(wanted, LISTING) == absent


def test_missing_resolves_directory_symlinks_of_this_system(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    assert image.missing([f"{tmp_path}/lib/libz.so.1"], line(f"{tmp_path}/usr/lib/libz.so.1")) == []


def show(programs: Programs, packed: str, listing: str) -> None:
    script = f"case $1 in --file) printf '%s' '{packed}'; exit 0 ;; esac"
    programs.add("lsinitrd", script=script, stdout=listing)


def test_check_complete_image_returns_number_of_files(programs: Programs) -> None:
    packed = "/usr/bin/ignition\n/usr/bin/python3\n"
    show(programs, packed, LISTING + "".join(map(line, image.REQUIRED)))
    assert image.check(Path("initrd.img")) == len(image.REQUIRED) + 2


def test_check_incomplete_image_names_each_missing_file(programs: Programs) -> None:
    unit, *others = image.REQUIRED
    show(programs, "/usr/bin/ignition\n/usr/bin/gone\n", LISTING + "".join(map(line, others)))
    with pytest.raises(IgnitionError, match=f"not found: /usr/bin/gone, {unit}$"):
        image.check(Path("initrd.img"))


@pytest.mark.parametrize("status", [0, 1])
def test_check_image_without_dracut_module_is_error(programs: Programs, status: int) -> None:
    programs.add("lsinitrd", script=f"[ $1 != --file ] || exit {status}", stdout=LISTING)
    with pytest.raises(IgnitionError, match='does not contain the dracut module "ignition"'):
        image.check(Path("initrd.img"))


def test_required_units_exist_in_dracut_module() -> None:
    module = Path(__file__).parents[2] / "dracut/30ignition"
    for unit in (path for path in image.REQUIRED if path.startswith(f"{image.UNITS}/ignition-")):
        assert (module / Path(unit).name).is_file(), unit
