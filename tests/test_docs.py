# SPDX-License-Identifier: Apache-2.0
"""The docs tell the truth: their Python runs, and their commands print what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ignition.config.parse import check
from tests.lab.checkout import files

PROJECT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def blocks(page: str) -> list[tuple[str, str, str]]:
    """All blocks of a page: their language, the file name beside it, and the text."""
    return BLOCK.findall((PROJECT / "docs" / page).read_text())


def test_the_config_of_the_readme_is_valid() -> None:
    (config,) = [text for language, _, text in blocks("../README.md") if language == "json"]
    checked = check(config.encode())
    assert (str(checked.report), checked.failure) == ("", None)


@pytest.mark.parametrize("page", ["reference/config-api.md"])
def test_python_runs(page: str) -> None:
    names: dict[str, object] = {}
    codes = [text for language, _, text in blocks(page) if language == "python"]
    assert codes
    for code in codes:
        exec(compile(code, page, "exec"), names)


@pytest.mark.parametrize("page", ["how-to/planning.md", "reference/schemas.md", "how-to/validating.md"])
@pytest.mark.real_commands
def test_commands_print_what_the_page_says(page: str, tmp_path: Path) -> None:
    ran = 0
    for language, name, text in blocks(page):
        if name:
            (tmp_path / name).write_text(text)
        elif language == "console":
            for command, expected in COMMAND.findall(text):
                assert shown(command, tmp_path) == expected
                ran += 1
    assert ran


def shown(command: str, directory: Path) -> str:
    """What a terminal would show, and the exit status where it is not 0."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["sh", "-c", command],
        cwd=directory,
        env={"PATH": path, "HOME": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ran.stdout + (f"[exit status {ran.returncode}]\n" if ran.returncode else "")


ROWS = re.compile(r"^\|.*\| `([^`|]+)` \|$", re.MULTILINE)


def test_every_deliberate_difference_has_its_test() -> None:
    page = (PROJECT / "docs" / "compatibility.md").read_text()
    rows = [row for row in page.splitlines() if row.startswith("| ") and not row.startswith("| Reference |")]
    named = ROWS.findall(page)
    assert len(named) == len(rows) > 0
    for test in named:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (PROJECT / "tests" / file).read_text(), test


def test_every_platform_is_documented() -> None:
    from ignition.platform import provider
    from ignition.providers import PLATFORMS

    for page in ("docs/reference/platforms.md", "README.md"):
        text = (PROJECT / page).read_text()
        assert [name for name in PLATFORMS if f"| `{provider.load(name).name}` |" not in text] == []


LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CITATION = re.compile(r'docs/([\w/-]+\.md)((?:(?:,| and) "[^"]+")*)')
UNAVAILABLE = re.compile(
    r"\b(engine|config-spec|providers|providers-addendum|butane|legacy-formats)\.md\b|weak point"
)


def headings(page: Path) -> list[str]:
    return HEADING.findall(CODE_BLOCK.sub("", page.read_text()))


def anchor(heading: str) -> str:
    """Return the anchor that a Markdown viewer makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


PAGES = [path for path in files() if path.suffix == ".md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_of_page_resolve(page: Path) -> None:
    for link in LINK.findall(CODE_BLOCK.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, section = link.partition("#")
        target = (page.parent / file) if file else page
        assert target.exists(), link
        if section:
            assert section in map(anchor, headings(target)), link


def test_index_links_every_page() -> None:
    docs = PROJECT / "docs"
    linked = {
        (docs / link.partition("#")[0]).resolve() for link in LINK.findall((docs / "index.md").read_text())
    }
    assert [page for page in docs.rglob("*.md") if page.name != "index.md" and page not in linked] == []


def cited_sections(text: str) -> list[tuple[str, str]]:
    """Return (page, section) of each citation in a source text; the section may be empty."""
    text = re.sub(r"\s*\n\s*(?:[#*>]+ ?)?", " ", text)
    return [
        (page, section)
        for page, sections in CITATION.findall(text)
        for section in re.findall(r'"([^"]+)"', sections) or [""]
    ]


def test_citation_wrapped_in_comment_is_found() -> None:
    text = '# Source: docs/reference/a.md, "One\n    # two" and "Three".'
    assert cited_sections(text) == [("reference/a.md", "One two"), ("reference/a.md", "Three")]


def test_cited_pages_and_sections_exist() -> None:
    found = 0
    for path in files():
        if path.suffix not in {".py", ".sh", ".toml", ".service", ".md"} or path == Path(__file__):
            continue
        for page, section in cited_sections(path.read_text()):
            target = PROJECT / "docs" / page
            assert target.exists(), f"{path}: docs/{page}"
            assert not section or section in headings(target), f'{path}: docs/{page}, "{section}"'
            found += bool(section)
    assert found > 50


def test_only_documents_of_the_repository_are_cited() -> None:
    found = [
        f"{path.relative_to(PROJECT)}: {match[0]}"
        for path in files()
        if path.suffix in {".py", ".sh", ".toml", ".json", ".service", ".target"} and path != Path(__file__)
        for match in [UNAVAILABLE.search(path.read_text())]
        if match
    ]
    assert found == []
