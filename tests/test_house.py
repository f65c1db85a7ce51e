"""The rules of the house that no linter knows."""

import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = {".py", ".js", ".css", ".html"}


def git_files() -> list[str]:
    """All files that are committed, but for those that only mark a package."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    return [name for name in listed.stdout.splitlines() if is_filled(ROOT / name)]


def is_filled(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


FILES = git_files()
SOURCES = [name for name in FILES if PurePosixPath(name).suffix in SOURCE]


def read_tree() -> dict[str, str]:
    """The README's tree: the caption of each file and of each folder, whose names end in "/"."""
    block = re.search(r"## The tree\n.*?```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block, "README.md has no block under '## The tree'."
    tree: dict[str, str] = {}
    above: list[str] = []
    for line in block[1].splitlines():
        name, _, caption = line.strip().partition(" ")
        above = above[: (len(line) - len(line.lstrip())) // 2]
        tree["".join([*above, name])] = caption.strip()
        above.append(name)
    return tree


TREE = read_tree()
OPEN = {str(PurePosixPath(name).parent) + "/" for name in TREE}


def shown_by(name: str) -> str:
    """The line of the tree that has to be there for a file: its own, or that of a folder above
    whose content the tree doesn't list."""
    folders = [f"{folder}/" for folder in PurePosixPath(name).parents if folder.name]
    return next((folder for folder in reversed(folders) if folder not in OPEN), name)


def test_every_file_is_in_the_tree_of_the_readme() -> None:
    assert sorted({shown_by(name) for name in FILES} - TREE.keys()) == []


def test_the_tree_of_the_readme_shows_nothing_else() -> None:
    installed = {"static/vendor/"}
    assert sorted(TREE.keys() - {shown_by(name) for name in FILES} - OPEN - installed) == []


def test_every_line_of_the_tree_has_a_caption() -> None:
    assert [name for name, caption in TREE.items() if not caption] == []


@pytest.mark.parametrize("document", ["README.md", "docs/set-up.md"])
def test_documented_commands_of_make_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", (ROOT / document).read_text(), re.MULTILINE))
    assert named
    assert named <= targets


def test_imports_go_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([linter, "--no-logo"], cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_no_module_is_named_for_nothing() -> None:
    vague = re.compile(r"(^|[_-])(utils?|commons?|helpers?|managers?)($|[_-])")
    assert [name for name in SOURCES if vague.search(PurePosixPath(name).stem)] == []


def test_pages_load_nothing_from_another_host() -> None:
    elsewhere = re.compile(r"https?://(?!www\.w3\.org/)|[\"'(]//\w")
    pages = [name for name in SOURCES if name.startswith(("templates/", "static/"))]
    assert [name for name in pages if elsewhere.search((ROOT / name).read_text())] == []


def test_nothing_is_pickled() -> None:
    pickling = re.compile(
        r"import \w*pickle|allow_pickle=True|\btorch\.save\(|import joblib|"
        # What torchvision publishes is read once, tensors only, and kept as safetensors.
        r"\btorch\.load\((?!.*weights_only=True)"
    )
    modules = [name for name in SOURCES if name.startswith(("app/", "models/"))]
    assert [name for name in modules if pickling.search((ROOT / name).read_text())] == []
