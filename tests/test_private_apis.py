# SPDX-License-Identifier: Apache-2.0
"""Parts of libraries that are not their public interface, and that the engine relies on.

A release of such a library may change them. Each has an upper bound in pyproject.toml and a row here.
"""

from __future__ import annotations

import http.client
import inspect
import tomllib
from pathlib import Path
from types import FunctionType

import botocore.auth
import botocore.configprovider
import botocore.credentials
import botocore.session
import pytest
import urllib3
import urllib3.connection
import urllib3.connectionpool

PROJECT = Path(__file__).parents[1]

OVERRIDDEN: tuple[tuple[type, str, type, str], ...] = (
    (http.client.HTTPResponse, "_read_status", http.client.HTTPResponse, "begin"),
    (urllib3.connection.HTTPConnection, "_new_conn", urllib3.connection.HTTPConnection, "connect"),
    (urllib3.connection.HTTPConnection, "_tunnel", urllib3.connection.HTTPSConnection, "connect"),
)
"""Methods that `resource/http/transport.py` overrides: the class and method, and who must call it."""


@pytest.mark.parametrize(("owner", "name", "caller", "calls"), OVERRIDDEN)
def test_overridden_method_exists_and_is_called(owner: type, name: str, caller: type, calls: str) -> None:
    assert isinstance(getattr(owner, name), FunctionType)
    assert f"self.{name}(" in inspect.getsource(getattr(caller, calls))


def test_transport_overrides_only_listed_private_methods() -> None:
    from ignition.resource.http import transport

    listed = {name for _, name, _, _ in OVERRIDDEN}
    own = set()
    for cls in vars(transport).values():
        if isinstance(cls, type) and cls.__module__ == transport.__name__:
            inherited = {name for parent in cls.__mro__[1:] for name in vars(parent)}
            own |= {
                name
                for name, member in vars(cls).items()
                if name.startswith("_")
                and name[1] != "_"
                and name in inherited
                and isinstance(member, FunctionType)
            }
    assert own == listed


def test_urllib3_pool_manager_has_pool_classes() -> None:
    assert set(urllib3.PoolManager().pool_classes_by_scheme) == {"http", "https"}
    assert urllib3.connectionpool.HTTPSConnectionPool.ConnectionCls is urllib3.connection.HTTPSConnection


def test_botocore_session_variables_have_four_members() -> None:
    assert all(len(each) == 4 for each in botocore.session.Session.SESSION_VARIABLES.values())


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (botocore.auth.S3SigV4Auth, ("credentials", "service_name", "region_name")),
        (botocore.auth.S3SigV4Auth.add_auth, ("request",)),
        (botocore.credentials.CredentialResolver, ("providers",)),
        (botocore.configprovider.ConfigValueStore, ("mapping",)),
        (botocore.configprovider.ConstantProvider, ("value",)),
        (botocore.session.Session.register_component, ("name", "component")),
    ],
)
def test_botocore_internals_take_these_parameters(function: object, parameters: tuple[str, ...]) -> None:
    assert set(parameters) <= set(inspect.signature(function).parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize("library", ["requests", "urllib3", "boto3", "botocore"])
def test_library_with_private_use_has_upper_bound(library: str) -> None:
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    (bounds,) = [each for each in declared if each.startswith(f"{library}>")]
    assert "<" in bounds
