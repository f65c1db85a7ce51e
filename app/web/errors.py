"""Every error as an RFC 9457 problem document, and as a page for people who came for a page.

This is the only place where errors become status codes.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.core import errors
from app.web.pages import error_page

STATUS: dict[type[errors.ConvScopeError], int] = {
    errors.UnreadableImage: 422,
    errors.ImageTooSmall: 422,
    errors.ImageTooLarge: 413,
    errors.EmptyDrawing: 422,
    errors.InvalidPixels: 422,
    errors.UnreadableJson: 422,
    errors.UnknownModel: 404,
    errors.UnknownLayer: 404,
    errors.NotEvaluated: 404,
    errors.UnknownChannel: 404,
    errors.UnknownUnit: 404,
    errors.UnknownImage: 404,
    errors.NoFilters: 404,
    errors.UnknownRun: 404,
    errors.UnknownSnapshot: 404,
    errors.UnknownSweep: 404,
    errors.Unexplained: 422,
    errors.RunConflict: 409,
    errors.ModelInUse: 409,
    errors.ShippedModel: 409,
    errors.QueueFull: 429,
    # The server's own troubles, which its keeper can end.
    errors.DatasetUnavailable: 503,
    errors.DamagedImage: 503,
    errors.UnreadableWeights: 503,
    errors.InvalidSettings: 503,
    errors.StorageUnavailable: 507,
    errors.StorageBusy: 503,
    errors.StorageDamaged: 503,
    # Those that are declared elsewhere.
    errors.ConvScopeError: 422,
}

# In seconds: after these it may be otherwise, if nobody does anything.
RETRY_AFTER: dict[type[errors.ConvScopeError], int] = {
    errors.StorageBusy: 5,
    errors.QueueFull: 10,
}


# Of a sentence, in letters; and of a request's faults so many are told.
LONGEST, MOST_FAULTS = 2000, 20


class Problem(JSONResponse):
    """A problem document; ``detail`` says what to do."""

    media_type = "application/problem+json"

    def __init__(
        self,
        status: int,
        detail: str,
        kind: str = "about:blank",
        faults: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.title, self.detail = HTTPStatus(status).phrase, _brief(detail)
        content = {"type": kind, "title": self.title, "status": status, "detail": self.detail}
        super().__init__(content | ({"errors": faults} if faults else {}), status, headers)


def _brief(text: str) -> str:
    """A text that may repeat what was sent: without the end that nobody reads, and without halves
    of letters, which UTF-8 can't write."""
    told = text[: LONGEST + 1].encode(errors="backslashreplace").decode()
    return told if len(told) <= LONGEST else f"{told[:LONGEST]} ..."


def _fault(field: str, message: str) -> dict[str, str]:
    return {"field": _brief(field), "message": _brief(message)}


def _on_domain_error(request: Request, error: Exception) -> Problem:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    assert isinstance(error, errors.ConvScopeError)
    faults = [_fault(field, said) for field, said in error.faults.items()]
    seconds = RETRY_AFTER.get(type(error))
    headers = {"Retry-After": str(seconds)} if seconds else None
    return Problem(status, str(error), f"urn:convscope:{type(error).__name__}", faults, headers)


def _on_invalid_request(request: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    faults = [
        _fault(".".join(map(str, fault["loc"][1:])), fault["msg"]) for fault in found[:MOST_FAULTS]
    ]
    said = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
    many = f" It has {len(found):,} faults, the first of which are:" if found[MOST_FAULTS:] else ""
    return Problem(422, f"Please correct the request.{many} {said}.", faults=faults)


def _on_http_error(request: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)
    detail, path = error.detail, request.url.path
    # The framework's own errors say no more than the name of their status.
    if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"There is nothing at {path}. GET /docs lists every operation."
    if error.status_code == 405 and detail == HTTPStatus.METHOD_NOT_ALLOWED.phrase:
        methods = (error.headers or {}).get("Allow", "other methods")
        detail = f"{path} answers {methods}, not {request.method}. GET /docs lists every operation."
    return Problem(error.status_code, detail, headers=error.headers)


def _on_disconnect(request: Request, error: Exception) -> Problem:
    # Nobody is there to read it; but it is the client that gave up, not the server that failed.
    return Problem(400, "The request ended before its body was complete.")


def _on_fault(request: Request, error: Exception) -> Problem:
    # The server logs the error itself.
    return Problem(500, "Something went wrong on the server. Its log says what; please report it.")


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Problem]] = {
    errors.ConvScopeError: _on_domain_error,
    RequestValidationError: _on_invalid_request,
    HTTPException: _on_http_error,
    ClientDisconnect: _on_disconnect,
    Exception: _on_fault,
}


def install(app: FastAPI) -> None:
    """Answer every error with a problem document, or with a page where one was asked for."""
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, _answering(handler))


def in_the_wanted_form(request: Request, problem: Problem) -> Response:
    """The problem document, or a page of the same words for who asked for a page."""
    if "hx-request" in request.headers:
        # The open page shows the words, and stays as it is.
        problem.headers["HX-Reswap"] = "none"
        return problem
    for_people = "text/html" in request.headers.get("accept", "")
    if not for_people or request.url.path.startswith("/api/"):
        return problem
    page = error_page(request, problem.status_code, problem.title, problem.detail)
    # Such as Allow and Retry-After: all but those that describe the document.
    for name, value in problem.headers.items():
        page.headers.setdefault(name, value)
    return page


def _answering(
    handler: Callable[[Request, Exception], Problem],
) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        return in_the_wanted_form(request, handler(request, error))

    return answer
