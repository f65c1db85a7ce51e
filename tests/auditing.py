"""Looks up the installed packages among known vulnerabilities: ``make audit``.

It fails where one is known. What could not be looked up, since no database could be reached or a
package isn't in it, is said, and is no failure: it says nothing of the package.
"""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SECONDS = 180


@dataclass(frozen=True)
class Report:
    """Of one kind of packages: how many were looked up, which weren't, and what is known."""

    kind: str
    looked_up: int
    skipped: Sequence[str]
    known: Sequence[str]

    def words(self) -> str:
        """A line for each vulnerability, and one that says what was looked up."""
        lines = [f"{self.kind}: {one}" for one in self.known]
        if not self.looked_up:
            said = "NOT AUDITED, as the database of vulnerabilities can't be reached."
            return "\n".join([*lines, f"{self.kind}: {said}"])
        lines.append(
            f"{self.kind}: {self.looked_up} looked up, {len(self.known)} vulnerabilities known."
        )
        if self.skipped:
            lines.append(f"{self.kind}: not in the database: {', '.join(self.skipped)}.")
        return "\n".join(lines)


def read_pip(text: str) -> Report:
    """What ``pip-audit --format json`` says; nothing, where it failed. It takes a database that
    knows none of the packages for one that can't be reached: it says the same of both."""
    dependencies = _parse(text).get("dependencies", [])
    known = [
        f"{one['name']} {one['version']} has {fault['id']}, mended in "
        f"{' or '.join(fault['fix_versions']) or 'no version'}"
        for one in dependencies
        for fault in one.get("vulns", [])
    ]
    skipped = sorted(one["name"] for one in dependencies if "skip_reason" in one)
    return Report("Python", len(dependencies) - len(skipped), skipped, known)


def read_npm(text: str) -> Report:
    """What ``npm audit --json`` says; nothing, where it failed."""
    said = _parse(text)
    if "vulnerabilities" not in said:
        return Report("npm", 0, [], [])
    known = [
        f"{name} {one['range']} has a vulnerability of severity {one['severity']}"
        for name, one in said["vulnerabilities"].items()
    ]
    return Report("npm", said["metadata"]["dependencies"]["total"], [], known)


def _parse(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _ask(*command: str) -> str:
    try:
        ended = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    return ended.stdout


def main(auditor: str) -> int:
    """Print both reports; returns 1 where a vulnerability is known."""
    installed = sysconfig.get_path("purelib")
    options = ("--format", "json", "--progress-spinner", "off", "--path", installed)
    reports = [
        read_pip(_ask(auditor, *options)),
        read_npm(_ask("npm", "audit", "--json", "--package-lock-only")),
    ]
    print("\n".join(report.words() for report in reports))
    return int(any(report.known for report in reports))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
