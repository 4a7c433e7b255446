# SPDX-License-Identifier: Apache-2.0
"""Read the boot loader files of one filesystem, and write the changed ones.

Nothing is written before everything was read. New files are written with temporary names and synced, then
renamed one after the other. After a power loss each file is either old or new, and the next run completes the
change.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ignition.bootloader import bls, grub
from ignition.bootloader.arguments import KERNEL, ArgumentRequest, kernel_words, new_lines
from ignition.errors import IgnitionError

if TYPE_CHECKING:
    from ignition.host.root import Root

__all__ = ["Edit", "edits_for_later_kernels", "grub_files", "systemd_boot_files", "unified_images", "write"]

ENTRIES: Final = "loader/entries"
UNIFIED: Final = "EFI/Linux"
KERNEL_INSTALL: Final = "/etc/kernel/cmdline"
GRUB_DEFAULTS: Final = "/etc/default/grub.d"
DROP_IN: Final = f"{GRUB_DEFAULTS}/zz-ignition.cfg"


@dataclass(frozen=True)
class Edit:
    """A file with kernel arguments: its old and its new contents."""

    path: str
    old: bytes
    new: bytes

    @property
    def changes(self) -> bool:
        return self.old != self.new


def grub_files(root: Root, prefix: str, request: ArgumentRequest) -> list[Edit]:
    """Return the edits of GRUB's files with kernel arguments below `prefix`.

    Raises:
        IgnitionError: a file is invalid, or cannot express the request.
    """
    folders = [
        f"{prefix}/grub",
        f"{prefix}/grub2",
        *(f"{prefix}/EFI/{name}" for name in _names(root, f"{prefix}/EFI")),
    ]
    configs = {
        path: _text(root.read(path)) for path in _files(root, (f"{name}/grub.cfg" for name in folders))
    }
    lines = [line for config in configs.values() for line in grub.kernels(config)]
    edits = [
        _edit(root, path, lambda text: grub.new_config(text, request))
        for path in configs
        if grub.kernels(configs[path])
    ]
    if any(map(grub.reads_entries, configs.values())):
        entries = list(_entries(root, prefix))
        lines += [value for path in entries for value in bls.options(_text(root.read(path)))]
        edits += [_edit(root, path, lambda text: _grub_entry(text, request)) for path in entries]
    for path in _files(root, (f"{name}/grubenv" for name in folders)):
        if grub.sets_variable(root.read(path)):
            edits.append(_edit_bytes(root, path, lambda block: grub.new_environment(block, request)))
    if any(map(grub.uses_variable, lines)) and not any(b"kernelopts=" in edit.old for edit in edits):
        raise IgnitionError("the kernel arguments are in GRUB's variable kernelopts, which no file sets")
    return edits


def _grub_entry(text: str, request: ArgumentRequest) -> str:
    uses = any(map(grub.uses_variable, bls.options(text)))
    return bls.new_entry(text, request.removals_only if uses else request, grub.SCRIPT)


def systemd_boot_files(root: Root, prefix: str, request: ArgumentRequest) -> list[Edit]:
    """Return the edits of systemd-boot's kernel entries below `prefix`.

    Raises:
        IgnitionError: an entry is invalid, or cannot express the request.
    """
    return [
        _edit(root, path, lambda text: bls.new_entry(text, request, KERNEL))
        for path in _entries(root, prefix)
    ]


def unified_images(root: Root, prefix: str) -> list[str]:
    """Return the unified kernel images, which contain their arguments: type 2 entries of UAPI.1."""
    folder = f"{prefix}/{UNIFIED}"
    return [f"{folder}/{name}" for name in _names(root, folder) if name.lower().endswith(".efi")]


def edits_for_later_kernels(root: Root, request: ArgumentRequest) -> list[Edit]:
    """Return the edits of files from which the installed system generates boot loader files for new kernels.

    Supports kernel-install and Debian's grub-mkconfig.
    """
    edits = [
        _edit(root, path, lambda text: _kernel_install(text, request))
        for path in _files(root, [KERNEL_INSTALL])
    ]
    if root.exists(GRUB_DEFAULTS):
        old = root.read(DROP_IN) if root.is_file(DROP_IN) else b""
        edits.append(Edit(DROP_IN, old, _drop_in(request).encode("utf-8", "surrogateescape")))
    return edits


def _kernel_install(text: str, request: ArgumentRequest) -> str:
    """Return the new text of /etc/kernel/cmdline: all lines except comments form one command line."""
    lines = text.splitlines()
    places = [number for number, line in enumerate(lines) if not line.lstrip().startswith("#")]
    values = new_lines([lines[number] for number in places] or [""], request, KERNEL)
    if values is None:
        return text
    for number, value in zip(places, values, strict=False):
        lines[number] = value
    return "\n".join(lines if places else [*lines, *values]) + "\n"


def _drop_in(request: ArgumentRequest) -> str:
    """Return the shell script that grub-mkconfig reads after /etc/default/grub."""
    without = [f"ignition_without {_quoted(_plain(argument))}\n" for argument in request.should_not_exist]
    adding = [f"ignition_with {_quoted(_plain(argument))}\n" for argument in request.should_exist]
    return DROP_IN_HEAD + "".join((*without, *adding))


DROP_IN_HEAD: Final = """\
# Written by Ignition: kernel arguments of its config for grub-mkconfig.
ignition_without() {
    for ignition_name in GRUB_CMDLINE_LINUX GRUB_CMDLINE_LINUX_DEFAULT; do
        eval "ignition_words=\\" \\$$ignition_name \\""
        while :; do
            case $ignition_words in
                *" $1 "*) ignition_words="${ignition_words%%" $1 "*} ${ignition_words#*" $1 "}" ;;
                *) break ;;
            esac
        done
        ignition_words=${ignition_words# }
        eval "$ignition_name=\\${ignition_words% }"
    done
}
ignition_with() {
    case " $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT " in
        *" $1 "*) ;;
        *) GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX $1" ;;
    esac
}
"""


def _plain(argument: str) -> str:
    """Quote an argument for grub.cfg, into which grub-mkconfig copies it."""
    return " ".join(grub.SCRIPT.spell(word.text) for word in kernel_words(argument))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def write(root: Root, edits: Iterable[Edit]) -> None:
    """Write the changed files, and sync.

    Raises:
        OSError: a file cannot be written; no file was changed, unless a rename failed.
    """
    wanted = [(edit, f"{edit.path}.ignition-new") for edit in edits if edit.changes]
    try:
        for edit, beside in wanted:
            _write(root, edit, beside)
    except OSError as error:
        for _, beside in wanted:
            root.remove(beside)
        error.filename = error.filename or beside
        raise
    for edit, beside in wanted:
        root.rename(beside, edit.path)
    root.sync(dict.fromkeys(posixpath.dirname(edit.path) for edit, _ in wanted))


def _write(root: Root, edit: Edit, beside: str) -> None:
    with root.create(beside) as file:
        file.write(edit.new)
        file.flush()
        os.fsync(file.fileno())
    there = root.find(edit.path)
    owner, mode = ((there.st_uid, there.st_gid), stat.S_IMODE(there.st_mode)) if there else ((0, 0), 0o644)
    root.permit(beside, owner, mode)


def _edit(root: Root, path: str, change: Callable[[str], str]) -> Edit:
    def in_bytes(data: bytes) -> bytes:
        return change(_text(data)).encode("utf-8", "surrogateescape")

    return _edit_bytes(root, path, in_bytes)


def _edit_bytes(root: Root, path: str, change: Callable[[bytes], bytes]) -> Edit:
    old = root.read(path)
    try:
        return Edit(path, old, change(old))
    except IgnitionError as error:
        raise IgnitionError(f"{path}: {error}", hint=error.hint) from error


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _entries(root: Root, prefix: str) -> Iterator[str]:
    folder = f"{prefix}/{ENTRIES}"
    names = (f"{folder}/{name}" for name in _names(root, folder) if name.endswith(".conf"))
    return (path for path in _files(root, names) if bls.starts_linux(_text(root.read(path))))


def _files(root: Root, paths: Iterable[str]) -> list[str]:
    """Return the paths that are files, without duplicates and with symlinks resolved."""
    return list(dict.fromkeys(_resolve(root, path) for path in paths if root.is_file(path)))


def _resolve(root: Root, path: str) -> str:
    path = root.resolve(path)
    while stat.S_ISLNK(root.lstat(path).st_mode):
        path = root.resolve(posixpath.join(posixpath.dirname(path), root.readlink(path)))
    return path


def _names(root: Root, folder: str) -> list[str]:
    try:
        return root.list(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
