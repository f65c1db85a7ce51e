"""What the README and docs/editing.md show of the API is run, and prints what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
API = README.partition("## The API")[2].partition("\n## ")[0]
EDITING = (ROOT / "docs" / "editing.md").read_text()
SHELL = re.findall(r"```sh\n(.*?)```", API + EDITING, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", API, re.DOTALL)


def run(command: list[str], code: str, server: str) -> str:
    """The output of an example, run from the repository's folder as its reader would."""
    code = code.replace("http://127.0.0.1:8000", server)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        [*command, code],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout


def promised(code: str) -> list[str]:
    """What the comments of an example say that it prints."""
    return [line.partition("# prints ")[2] for line in code.splitlines() if "# prints " in line]


def test_there_are_examples() -> None:
    assert SHELL
    assert PYTHON


@pytest.mark.parametrize("code", SHELL)
def test_shell_examples(server: str, code: str) -> None:
    output = run(["bash", "-euo", "pipefail", "-c"], code, server)
    assert all(words in output for words in promised(code)), output


@pytest.mark.parametrize("code", PYTHON)
def test_python_examples(server: str, code: str) -> None:
    output = run([sys.executable, "-c"], code, server)
    assert output.splitlines() == promised(code)
