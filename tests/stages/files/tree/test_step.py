# SPDX-License-Identifier: Apache-2.0
"""Directories, files and links: refusals, actions, and second runs."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ignition.configpath import format_path
from ignition.errors import ActionFailed, FetchError, Refused
from ignition.host.users import Accounts, Group, User
from ignition.stages.files.tree.staging import STAGING
from ignition.stages.files.tree.step import ExistingNode, Kind, Nodes, ResolvedNode, TreeFacts
from tests.host.fakes import FakeHost
from tests.stages.files.lab import accounts, config_of, contents, local, run_steps, tree_of

STEPS = (Nodes(),)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def place(host: FakeHost, **storage: Any) -> None:
    run_steps(STEPS, config_of(storage=storage), host)


def refusals(host: FakeHost, **storage: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        place(host, **storage)
    return [str(refusal) for refusal in caught.value.refusals]


def seen(host: FakeHost, path: str) -> tuple[str, int, int]:
    status = host.root.lstat(path)
    return stat.filemode(status.st_mode), status.st_uid, status.st_gid


def put(host: FakeHost, kind: str, path: str = "/it") -> None:
    """Create an existing object of this kind."""
    match kind:
        case "file":
            host.root.write(path, b"old", mode=0o600, owner=(7, 8))
        case "directory":
            host.root.write(f"{path}/below", b"")
        case "link":
            host.root.symlink("elsewhere", path, owner=(7, 8))
        case "pipe":
            os.mkfifo(local(host, path))
        case _:
            return


# Existing object by wanted object; docs/reference/stages.md, "Writing files".

EXISTING = ["nothing", "file", "directory", "link", "pipe"]
REFUSED = "refused"


def wanted(host: FakeHost, kind: str, *, overwrite: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": "/it", "overwrite": overwrite}
    match kind:
        case "file":
            return {"files": [{**entry, "contents": contents(host, "new")}]}
        case "touched":
            return {"files": [entry]}
        case "directory":
            return {"directories": [entry]}
        case _:
            return {"links": [{**entry, "target": "target"}]}


@pytest.mark.parametrize("existing", EXISTING)
@pytest.mark.parametrize(
    ("kind", "result"),
    [("file", b"new"), ("directory", []), ("link", "target")],
)
def test_overwrite_replaces_any_existing_object(
    host: FakeHost, existing: str, kind: str, result: object
) -> None:
    put(host, existing)
    place(host, **wanted(host, kind, overwrite=True))
    it = local(host, "/it")
    match kind:
        case "file":
            assert it.read_bytes() == result
        case "directory":
            assert os.listdir(it) == result
        case _:
            assert os.readlink(it) == result
    assert seen(host, "/it")[1:] == (0, 0)
    assert os.listdir(host.root.path) == ["it"]


@pytest.mark.parametrize(
    ("kind", "existing", "outcome"),
    [
        ("file", "nothing", ("-rw-r--r--", 0, 0)),
        ("file", "directory", REFUSED),
        ("file", "link", REFUSED),
        ("file", "pipe", REFUSED),
        ("touched", "nothing", ("-rw-r--r--", 0, 0)),
        ("touched", "file", ("-rw-------", 7, 8)),
        ("touched", "directory", REFUSED),
        ("touched", "link", REFUSED),
        ("touched", "pipe", REFUSED),
        ("directory", "nothing", ("drwxr-xr-x", 0, 0)),
        ("directory", "directory", ("drwxr-xr-x", 0, 0)),
        ("directory", "file", REFUSED),
        ("directory", "link", REFUSED),
        ("directory", "pipe", REFUSED),
        ("link", "nothing", ("lrwxrwxrwx", 0, 0)),
        ("link", "file", REFUSED),
        ("link", "directory", REFUSED),
        ("link", "link", REFUSED),
        ("link", "pipe", REFUSED),
    ],
)
def test_without_overwrite_existing_object_is_refused(
    host: FakeHost, kind: str, existing: str, outcome: object
) -> None:
    put(host, existing)
    before = tree_of(host.root.path) if existing != "pipe" else {}
    config = wanted(host, kind, overwrite=False)
    if outcome == REFUSED:
        (refusal,) = refusals(host, **config)
        assert refusal.startswith(f"$.storage.{next(iter(config))}.0: /it ")
        if before:
            assert tree_of(host.root.path) == before
    else:
        place(host, **config)
        assert seen(host, "/it") == outcome


def test_existing_file_with_equal_contents_is_kept(host: FakeHost) -> None:
    """An error in the reference, where therefore no second run passes."""
    put(host, "file")
    place(host, files=[{"path": "/it", "contents": contents(host, "old"), "mode": 0o640}])
    assert seen(host, "/it") == ("-rw-r-----", 7, 8)


def test_existing_file_with_other_contents_fails_before_any_write(host: FakeHost) -> None:
    put(host, "file")
    before = tree_of(host.root.path)
    with pytest.raises(ActionFailed, match="/it exists with other contents") as caught:
        place(
            host,
            files=[
                {"path": "/first", "contents": contents(host, "first")},
                {"path": "/it", "contents": contents(host, "new")},
            ],
        )
    assert caught.value.path == ("storage", "files", 1)
    assert caught.value.hint == "set overwrite: true to replace it"
    assert tree_of(host.root.path) == before


def test_contents_that_differ_in_last_chunk_differ(host: FakeHost) -> None:
    put(host, "file")
    with pytest.raises(ActionFailed, match="other contents"):
        place(host, files=[{"path": "/it", "contents": contents(host, "olD")}])


# Contents.


def test_no_file_is_written_before_all_are_fetched(host: FakeHost) -> None:
    put(host, "directory", "/dir")
    before = tree_of(host.root.path)
    host.fetch.resources["https://example.com/broken"] = FetchError("gone")
    with pytest.raises(ActionFailed, match="gone") as caught:
        place(
            host,
            directories=[{"path": "/dir", "overwrite": True}],
            files=[
                {"path": "/a", "contents": contents(host, "a")},
                {"path": "/b", "contents": {"source": "https://example.com/broken"}},
            ],
        )
    assert caught.value.path == ("storage", "files", 1, "contents")
    assert tree_of(host.root.path) == before


def test_local_contents_with_wrong_hash_name_their_place(host: FakeHost) -> None:
    host.fetch.resources["data:,x"] = FetchError("the hash is another one")
    with pytest.raises(ActionFailed) as caught:
        place(
            host,
            files=[
                {"path": "/a", "contents": contents(host, "a")},
                {"path": "/b", "append": [contents(host, "b"), {"source": "data:,x"}]},
            ],
        )
    assert caught.value.path == ("storage", "files", 1, "append", 1)
    assert os.listdir(host.root.path) == []


def test_remote_contents_are_fetched_in_parallel(host: FakeHost) -> None:
    import threading

    together = threading.Barrier(4, timeout=20)

    class Slow:
        def bytes(self, source: object) -> bytes:
            raise NotImplementedError

        def file(self, source: object, into: Any) -> None:
            together.wait()
            into.write(b"content")

    object.__setattr__(host, "fetch", Slow())
    files = [{"path": f"/{number}", "contents": {"source": f"https://x/{number}"}} for number in range(4)]
    place(host, files=files)
    assert [local(host, f"/{number}").read_bytes() for number in range(4)] == [b"content"] * 4


def test_source_is_requested_unchanged(host: FakeHost) -> None:
    host.fetch.resources["https://x/f"] = b""
    resource = {
        "source": "https://x/f",
        "compression": "gzip",
        "httpHeaders": [{"name": "A", "value": "b"}],
        "verification": {"hash": "sha256-00"},
    }
    place(host, files=[{"path": "/f", "contents": resource}])
    (source,) = host.fetch.asked
    assert (source.headers, source.compression, source.hash) == ((("A", "b"),), "gzip", "sha256-00")


def test_header_without_value_is_refused(host: FakeHost) -> None:
    resource = {"source": "https://x/f", "httpHeaders": [{"name": "A"}]}
    (refusal,) = refusals(host, files=[{"path": "/f", "contents": resource}])
    assert refusal.startswith("$.storage.files.0.contents.httpHeaders: ")


def test_fragments_follow_contents_in_order(host: FakeHost) -> None:
    fragments = [contents(host, "two "), contents(host, "three")]
    place(host, files=[{"path": "/f", "contents": contents(host, "one "), "append": fragments}])
    assert local(host, "/f").read_text() == "one two three"


def test_empty_source_writes_empty_file(host: FakeHost) -> None:
    put(host, "file")
    place(host, files=[{"path": "/it", "overwrite": True, "contents": {"source": ""}}])
    assert local(host, "/it").read_bytes() == b""


def test_staging_directory_is_on_mount_of_file(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root directory of an image-based system is read-only."""
    host.root.make_directories("/etc/sub")
    monkeypatch.setattr(type(host.root), "is_writable", lambda self, path: path.startswith("/etc"))
    config = config_of(storage={"files": [{"path": "/etc/sub/f", "contents": contents(host, "x")}]})
    facts = Nodes().observe(config, host, None)  # type: ignore[arg-type]
    assert [each.staging for each in facts.wanted] == [f"/etc/{STAGING}"]


def test_file_on_read_only_filesystem_is_refused(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(host.root), "is_writable", lambda self, path: False)
    assert refusals(host, files=[{"path": "/f", "contents": contents(host, "x")}]) == [
        "$.storage.files.0: cannot write /f: read-only file system"
    ]


def test_staging_directory_is_not_below_overwritten_directory(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.root.make_directories("/etc/sub")
    place(
        host,
        directories=[{"path": "/etc/sub", "overwrite": True}],
        files=[{"path": "/etc/sub/f", "contents": contents(host, "x")}],
    )
    assert local(host, "/etc/sub/f").read_text() == "x"


# Owners and modes.


def test_owner_by_id_and_by_name_of_target(host: FakeHost) -> None:
    accounts(host)
    place(
        host,
        files=[{"path": "/f", "mode": 0o6755, "user": {"name": "core"}, "group": {"name": "wheel"}}],
        directories=[{"path": "/d", "mode": 0o1777, "user": {"id": 12}, "group": {"id": 13}}],
        links=[{"path": "/l", "target": "f", "user": {"id": 14}, "group": {"name": "core"}}],
    )
    assert seen(host, "/f") == ("-rwsr-sr-x", 500, 10)
    assert seen(host, "/d") == ("drwxrwxrwt", 12, 13)
    assert seen(host, "/l") == ("lrwxrwxrwx", 14, 500)


def test_unknown_owners_are_all_refused(host: FakeHost) -> None:
    accounts(host)
    assert refusals(
        host,
        files=[{"path": "/f", "user": {"name": "nobody-here"}, "contents": contents(host, "x")}],
        directories=[{"path": "/d", "group": {"name": "daemon"}}, {"path": "/e", "user": {"id": -5}}],
    ) == [
        '$.storage.directories.0.group.name: group "daemon" not found in the target root',
        "$.storage.directories.1.user.id: -5 is not a valid id, expected 0 to 4294967294",
        '$.storage.files.0.user.name: user "nobody-here" not found in the target root',
    ]
    assert sorted(os.listdir(host.root.path)) == ["etc", "home", "root"]


def test_changed_owner_keeps_special_bits(host: FakeHost) -> None:
    host.root.write("/f", b"", mode=0o4755)
    place(host, files=[{"path": "/f", "user": {"id": 5}}])
    assert seen(host, "/f") == ("-rwsr-xr-x", 5, 0)
    place(host, files=[{"path": "/f", "mode": 0o2755, "group": {"id": 6}}])
    assert seen(host, "/f") == ("-rwxr-sr-x", 5, 6)


def test_new_parent_directories_belong_to_root(host: FakeHost) -> None:
    place(host, files=[{"path": "/a/b/f", "user": {"id": 5}}])
    assert [seen(host, path)[1] for path in ("/a", "/a/b", "/a/b/f")] == [0, 0, 5]


# Links.


def test_objects_below_setgid_directory_get_its_group(host: FakeHost) -> None:
    """inode(7), set-group-ID bit; staged files get the group too."""
    host.root.make_directories("/d")
    host.root.write("/d/old", b"old")
    host.root.chown("/d", (0, 8))
    host.root.chmod("/d", 0o2775)
    host.fetch.resources["data:,x"] = b"x"
    place(
        host,
        directories=[{"path": "/d/sub"}, {"path": "/d/plain", "mode": 0o755}],
        files=[
            {"path": "/d/new", "contents": {"source": "data:,x"}},
            {"path": "/d/old", "contents": {"source": "data:,x"}, "overwrite": True},
            {"path": "/d/empty"},
            {"path": "/d/added", "append": [{"source": "data:,x"}]},
            {"path": "/d/own", "contents": {"source": "data:,x"}, "group": {"id": 9}, "user": {"id": 7}},
            {"path": "/d/made/on/the/way", "contents": {"source": "data:,x"}, "user": {"id": 7}},
            {"path": "/d/plain/new", "contents": {"source": "data:,x"}},
        ],
        links=[{"path": "/d/link", "target": "new"}],
    )
    for name in ("new", "old", "empty", "added"):
        assert seen(host, f"/d/{name}") == ("-rw-r--r--", 0, 8)
    assert seen(host, "/d/own") == ("-rw-r--r--", 7, 9)
    assert seen(host, "/d/made") == ("drwxr-sr-x", 0, 8)
    assert seen(host, "/d/made/on/the/way") == ("-rw-r--r--", 7, 8)
    assert seen(host, "/d/sub") == ("drwxr-sr-x", 0, 8)
    assert seen(host, "/d/plain") == ("drwxr-xr-x", 0, 8)
    assert seen(host, "/d/plain/new") == ("-rw-r--r--", 0, 0)
    assert seen(host, "/d/link") == ("lrwxrwxrwx", 0, 0)


def test_symlink_text_is_verbatim(host: FakeHost) -> None:
    place(host, links=[{"path": "/l", "target": "../x/./y//"}])
    assert os.readlink(local(host, "/l")) == "../x/./y//"


def test_new_symlink_belongs_to_root(host: FakeHost) -> None:
    host.root.write("/target", b"", owner=(3, 4))
    place(
        host,
        links=[
            {"path": "/link", "target": "/target"},
            {"path": "/own", "target": "/target", "user": {"id": 5}},
        ],
    )
    assert seen(host, "/link") == ("lrwxrwxrwx", 0, 0)
    assert seen(host, "/own") == ("lrwxrwxrwx", 5, 0)


def test_unchanged_symlink_gets_its_owner(host: FakeHost) -> None:
    """The reference keeps the old owner, although its documentation says otherwise."""
    host.root.symlink("x//y", "/l")
    place(host, links=[{"path": "/l", "target": "x/y", "user": {"id": 5}}])
    assert seen(host, "/l") == ("lrwxrwxrwx", 5, 0)
    assert os.readlink(local(host, "/l")) == "x//y"


def test_hard_link_target_is_relative_to_root(host: FakeHost) -> None:
    """Also without a leading slash; docs/reference/stages.md, "Writing files"."""
    place(
        host,
        files=[{"path": "/d/f", "contents": contents(host, "x")}],
        links=[
            {"path": "/e/absolute", "target": "/d/f", "hard": True},
            {"path": "/e/relative", "target": "d/f", "hard": True},
        ],
    )
    assert host.root.lstat("/d/f").st_nlink == 3


def test_hard_links_are_written_last(host: FakeHost) -> None:
    place(
        host,
        links=[
            {"path": "/a", "target": "/deep/down/file", "hard": True},
            {"path": "/b", "target": "/a", "hard": True},
        ],
        files=[{"path": "/deep/down/file"}],
    )
    assert host.root.lstat("/b").st_nlink == 3


def test_hard_link_over_other_file_fails(host: FakeHost) -> None:
    place(host, files=[{"path": "/f"}, {"path": "/g", "mode": 0o600}])
    link = {"path": "/g", "target": "/f", "hard": True}
    with pytest.raises(ActionFailed, match="/g exists and is not /f"):
        place(host, links=[link])
    place(host, links=[{**link, "overwrite": True}])
    assert host.root.lstat("/g").st_nlink == 2


def test_hard_link_replaces_equal_file(host: FakeHost) -> None:
    """As after a run that recreated the target; the second run would fail otherwise."""
    place(host, files=[{"path": "/f", "contents": contents(host, "x")}])
    host.root.write("/g", b"x")
    place(host, links=[{"path": "/g", "target": "/f", "hard": True}])
    assert host.root.lstat("/g").st_nlink == 2


def test_hard_link_to_itself_keeps_the_file(host: FakeHost) -> None:
    host.root.write("/f", b"x")
    place(host, links=[{"path": "/f", "target": "f", "hard": True, "overwrite": True}])
    assert local(host, "/f").read_text() == "x"


def test_hard_link_over_directory_is_refused(host: FakeHost) -> None:
    place(host, files=[{"path": "/f"}], directories=[{"path": "/g/h"}])
    link = {"path": "/g", "target": "/f", "hard": True}
    assert refusals(host, links=[link]) == [
        "$.storage.links.0: /g exists and is a directory, expected a file"
    ]
    place(host, links=[{**link, "overwrite": True}])
    assert host.root.lstat("/f").st_nlink == 2


# Paths.


def test_two_entries_with_one_resolved_path_are_refused(host: FakeHost) -> None:
    host.root.symlink("/usr/lib", "/lib")
    assert refusals(host, files=[{"path": "/lib/f"}], directories=[{"path": "/usr/lib/f"}]) == [
        "$.storage.files.0.path: /lib/f resolves to /usr/lib/f, which $.storage.directories.0 also writes"
    ]


def test_entry_below_a_file_entry_is_refused(host: FakeHost) -> None:
    assert refusals(host, files=[{"path": "/f"}, {"path": "/f/g/h"}]) == [
        "$.storage.files.1.path: cannot create /f/g/h: $.storage.files.0 does not make /f a directory"
    ]


def test_path_through_file_is_refused(host: FakeHost) -> None:
    host.root.write("/f", b"")
    (refusal,) = refusals(host, files=[{"path": "/f/below"}])
    assert refusal.startswith("$.storage.files.0.path: cannot resolve /f/below: ")


def test_path_through_symlink_loop_is_refused(host: FakeHost) -> None:
    host.root.symlink("loop", "/loop")
    (refusal,) = refusals(host, directories=[{"path": "/loop/below"}])
    assert "symbolic links" in refusal


def test_objects_below_overwritten_directory_do_not_count(host: FakeHost) -> None:
    host.root.write("/d/f/was-a-directory", b"")
    host.root.symlink("/elsewhere", "/d/l")
    place(
        host,
        directories=[{"path": "/d", "overwrite": True}],
        files=[{"path": "/d/f", "contents": contents(host, "x")}, {"path": "/d/l/g"}],
    )
    assert local(host, "/d/f").read_text() == "x"
    assert local(host, "/d/l/g").is_file()
    assert not local(host, "/elsewhere").exists()


def test_overwritten_symlink_is_not_followed(host: FakeHost) -> None:
    host.root.symlink("/elsewhere", "/d")
    place(host, directories=[{"path": "/d", "overwrite": True}], files=[{"path": "/d/f"}])
    assert local(host, "/d/f").is_file()
    assert not local(host, "/d").is_symlink()


@pytest.mark.parametrize("path", ["/var", "/var/lib", "/"])
def test_overwrite_of_mount_point_is_refused(host: FakeHost, path: str) -> None:
    host.root.make_directories("/var/lib")
    filesystem = {"device": "/dev/vdb", "format": "ext4", "path": "/var/lib"}
    (refusal,) = refusals(host, directories=[{"path": path, "overwrite": True}], filesystems=[filesystem])
    assert refusal == (
        f"$.storage.directories.0.overwrite: cannot overwrite {path}: a filesystem is mounted at /var/lib"
    )


def test_shallow_paths_come_first_in_config_order() -> None:
    """More than twelve entries: the sort of the reference is not stable for them."""
    files = [{"path": f"/{number:02}"} for number in reversed(range(20))]
    config = config_of(
        storage={
            "files": [{"path": "/deep/down/f"}, *files],
            "directories": [{"path": "/deep/down"}, {"path": "/deep"}],
            "links": [{"path": "/h", "target": "/00", "hard": True}, {"path": "/l", "target": "x"}],
        }
    )
    entries = [
        (("storage", name, number), node)
        for name in ("directories", "files", "links")
        for number, node in enumerate(getattr(config.storage, name))
    ]
    facts = TreeFacts(tuple(ResolvedNode(path, node, node.path) for path, node in entries))
    plan = Nodes().plan(config, facts)
    assert [format_path(action.path) for action in plan.actions] == [
        "$.storage.directories.1",
        *(f"$.storage.files.{number}" for number in range(1, 21)),
        "$.storage.links.1",
        "$.storage.directories.0",
        "$.storage.files.0",
        "$.storage.links.0",
    ]


def test_plan_describes_its_actions() -> None:
    config = config_of(
        storage={
            "files": [
                {"path": "/f", "user": {"name": "core"}},
                {"path": "/g", "append": [{"source": "data:,x"}]},
                {"path": "/kept"},
            ]
        }
    )
    there = ExistingNode(Kind.FILE)
    facts = TreeFacts(
        wanted=tuple(
            ResolvedNode(("storage", "files", number), node, node.path, found, "/.staging")
            for number, (node, found) in enumerate(
                zip(config.storage.files, (None, None, there), strict=True)
            )
        ),
        accounts=Accounts({"core": User("core", 500, 500)}, {"core": Group("core", 500)}),
    )
    plan = Nodes().plan(config, facts)
    (staged,) = plan.actions
    assert [action.describe() for action in staged.actions] == [  # type: ignore[attr-defined]
        "staging 1 contents from the config",
        'writing file "/f"',
        'appending to file "/g"',
    ]
    assert plan.keeps == ("/kept is unchanged",)
    assert "data:,x" not in repr(plan)


def test_step_is_wanted_only_with_nodes() -> None:
    assert not Nodes().wanted(config_of(storage={"disks": [{"device": "/dev/vda"}]}))
    assert Nodes().wanted(config_of(storage={"links": [{"path": "/l", "target": "x"}]}))


# Second runs.

names = st.sampled_from("abc")
places = st.lists(names, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
ids = st.fixed_dictionaries({}, optional={"id": st.integers(0, 9)})
common = {"overwrite": st.booleans(), "user": ids, "group": ids}
texts = st.sampled_from(["one", "two", ""])
files = st.fixed_dictionaries(
    {"path": places, **common, "append": st.lists(texts, max_size=2)},
    optional={"contents": texts, "mode": st.sampled_from([0o600, 0o4755])},
)
directories = st.fixed_dictionaries(
    {"path": places, **common}, optional={"mode": st.sampled_from([0o700, 0o1777])}
)
links = st.fixed_dictionaries(
    {"path": places, **common, "target": st.sampled_from(["x", "/a", "../b"]), "hard": st.booleans()}
)


def unique(entries: list[dict[str, Any]], taken: set[str]) -> list[dict[str, Any]]:
    """Return the entries whose paths are not in `taken`, because validation requires unique paths."""
    kept = []
    for entry in entries:
        if entry["path"] not in taken:
            taken.add(entry["path"])
            kept.append(entry)
    return kept


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(files, max_size=4),
    st.lists(directories, max_size=3),
    st.lists(links, max_size=3),
    st.lists(st.tuples(places, st.sampled_from(["file", "directory", "link"])), max_size=4),
)
def test_second_run_changes_nothing(
    files: list[dict[str, Any]],
    directories: list[dict[str, Any]],
    links: list[dict[str, Any]],
    existing: list[tuple[str, str]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        host = FakeHost(Path(directory))
        for path, kind in existing:
            with contextlib.suppress(OSError):
                put(host, kind, path)
        run_twice(host, files, directories, links)


def run_twice(
    host: FakeHost,
    files: list[dict[str, Any]],
    directories: list[dict[str, Any]],
    links: list[dict[str, Any]],
) -> None:
    taken: set[str] = set()
    files = [
        {
            **entry,
            **({"contents": contents(host, entry["contents"])} if "contents" in entry else {}),
            "append": [contents(host, text) for text in entry["append"]],
        }
        for entry in unique(files, taken)
    ]
    storage = {"files": files, "directories": unique(directories, taken), "links": unique(links, taken)}
    # A hard link to what a later entry replaces leads to the old file in the first run and to the new one in
    # the second: the order of hard links is the config's, as in the reference.
    hard = [link for link in storage["links"] if link["hard"]]
    assume(not {link["path"] for link in hard} & {link["target"] for link in hard})
    try:
        place(host, **storage)
    except (Refused, ActionFailed):
        return
    first = tree_of(host.root.path)
    place(host, **storage)
    assert tree_of(host.root.path) == first
    assert not any(STAGING in path for path in first)
