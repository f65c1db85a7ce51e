"""Whatever the description allows and whatever it doesn't: the server answers as it says."""

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_the_server_answers_as_it_says(server: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{server}/openapi.json")
    tried: Counter[str] = Counter()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)

        @given(found.ok().as_strategy(generation_mode=mode))
        @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
        def check(case: schemathesis.Case[Any]) -> None:
            tried[f"{case.method} {case.path}"] += 1
            case.call_and_validate(checks=CHECKS)

        with suppress(Unsatisfiable):  # Nothing can be wrong with a request that takes nothing.
            check()
    operations = {
        f"{method.upper()} {path}"
        for path, methods in schema.raw_schema["paths"].items()
        for method in methods
    }
    assert tried.total() > 50
    # With most others nothing can be wrong: any text may be a name.
    if mode is GenerationMode.POSITIVE:
        assert tried.keys() == operations
