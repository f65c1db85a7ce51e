"""Every error as an RFC 9457 problem document; the only place where errors become status codes."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.core import errors

STATUS: dict[type[Exception], int] = {
    errors.UnreadableImage: 422,
    errors.ImageTooLarge: 413,
    errors.EmptyDrawing: 422,
    errors.InvalidPixels: 422,
    errors.UnknownModel: 404,
    errors.UnknownLayer: 404,
    errors.UnknownChannel: 404,
    errors.UnknownImage: 404,
}

logger = logging.getLogger(__name__)


class Problem(JSONResponse):
    """A problem document; ``detail`` says what to do."""

    media_type = "application/problem+json"

    def __init__(self, status: int, detail: str, kind: str | None = None, **more: Any) -> None:
        title = HTTPStatus(status).phrase
        content = {"type": kind or "about:blank", "title": title, "status": status}
        headers = more.pop("headers", None)
        super().__init__(content | {"detail": detail} | more, status, headers)


def _on_domain_error(request: Request, error: Exception) -> Problem:
    status = next(code for known, code in STATUS.items() if isinstance(error, known))
    return Problem(status, str(error), f"urn:convscope:{type(error).__name__}")


def _on_invalid_request(request: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)
    faults = [
        {"field": ".".join(str(part) for part in fault["loc"][1:]), "message": fault["msg"]}
        for fault in error.errors()
    ]
    said = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
    return Problem(422, f"Please correct the request. {said}.", errors=faults)


def _on_http_error(request: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = _USUAL.get(error.status_code, detail)
    return Problem(error.status_code, detail.format(request=request), headers=error.headers)


_USUAL = {
    404: "There is nothing at {request.url.path}. GET /docs lists every operation.",
    405: "{request.url.path} doesn't answer {request.method}. GET /docs lists every operation.",
}


def _on_fault(request: Request, error: Exception) -> Problem:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return Problem(500, "Something went wrong on the server. Its log says what; please report it.")


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    for domain_error in STATUS:
        app.add_exception_handler(domain_error, _on_domain_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_fault)
