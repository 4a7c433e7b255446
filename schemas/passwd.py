# SPDX-License-Identifier: Apache-2.0
"""Users and groups.

Source: docs/reference/config-language.md, "Fields".
"""

from typing import Annotated

from ignition.schemas.base import Node
from ignition.schemas.marks import keyed, secret, since

__all__ = ["Passwd", "PasswdGroup", "PasswdUser"]


class PasswdGroup(Node):
    """One group."""

    gid: int | None = None
    """Numeric id of the group."""
    name: str = ""
    """Name of the group."""
    password_hash: Annotated[str | None, secret] = None
    """Hash of the group's password."""
    should_exist: Annotated[bool | None, since("3.2.0")] = None
    """Whether the group must exist (the default) or must not exist."""
    system: bool | None = None
    """Whether a new group gets an id from the range of system groups."""


class PasswdUser(Node):
    """One user."""

    gecos: str | None = None
    """The comment field of the account, usually the user's full name."""
    groups: Annotated[tuple[str, ...], keyed()] = ()
    """Supplementary groups of the user."""
    home_dir: str | None = None
    """Home directory of the user."""
    name: str = ""
    """Login name of the user."""
    no_create_home: bool | None = None
    """Whether to create no home directory for a new user."""
    no_log_init: bool | None = None
    """Whether to leave a new user out of the login databases lastlog and faillog."""
    no_user_group: bool | None = None
    """Whether to create no group of the same name for a new user."""
    password_hash: Annotated[str | None, secret] = None
    """Hash of the user's password in the format of `crypt(5)`."""
    primary_group: str | None = None
    """Name of the user's primary group."""
    ssh_authorized_keys: Annotated[tuple[str, ...], keyed()] = ()
    """SSH public keys that are authorized to log in as this user."""
    shell: str | None = None
    """Login shell of the user."""
    should_exist: Annotated[bool | None, since("3.2.0")] = None
    """Whether the user must exist (the default) or must not exist."""
    system: bool | None = None
    """Whether a new user is a system account."""
    uid: int | None = None
    """Numeric id of the user."""


class Passwd(Node):
    """Users and groups."""

    groups: Annotated[tuple[PasswdGroup, ...], keyed("name")] = ()
    """Groups that must exist or must not exist."""
    users: Annotated[tuple[PasswdUser, ...], keyed("name")] = ()
    """Users that must exist or must not exist."""
