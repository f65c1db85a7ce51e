"""What an audit makes of what the auditors say, above all where they could look nothing up."""

import json

from tests.auditing import read_npm, read_pip

PIP = {
    "dependencies": [
        {"name": "fine", "version": "1.0", "vulns": []},
        {
            "name": "broken",
            "version": "2.0",
            "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2.1"], "aliases": []}],
        },
        {"name": "own", "skip_reason": "Dependency not found"},
    ],
    "fixes": [],
}
NPM = {
    "auditReportVersion": 2,
    "vulnerabilities": {"broken": {"severity": "high", "range": "<2.1", "via": []}},
    "metadata": {"dependencies": {"total": 12}},
}


def test_a_known_vulnerability_is_named() -> None:
    report = read_pip(json.dumps(PIP))
    assert list(report.known) == ["broken 2.0 has PYSEC-2026-1, mended in 2.1"]
    assert "Python: 2 looked up, 1 vulnerabilities known." in report.words()
    assert "not in the database: own." in report.words()
    report = read_npm(json.dumps(NPM))
    assert "broken <2.1 has a vulnerability of severity high" in report.words()
    assert report.looked_up == 12


def test_what_could_not_be_looked_up_is_not_called_fine() -> None:
    nothing_found = {"dependencies": [{"name": "own", "skip_reason": "Dependency not found"}]}
    for text in ("", "no JSON", "[]", "{}", json.dumps(nothing_found)):
        assert "NOT AUDITED" in read_pip(text).words()
        assert not read_pip(text).known
    for text in ("", "null", json.dumps({"message": "405 Method Not Allowed"})):
        assert "NOT AUDITED" in read_npm(text).words()
