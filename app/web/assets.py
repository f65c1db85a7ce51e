"""Static files under an address that changes with their content, so that browsers keep them."""

import hashlib
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent.parent.parent / "static"


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        digest.update(path.relative_to(STATIC).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


# The whole tree has one fingerprint: modules import each other by relative addresses.
ROOT = f"/static/{_fingerprint()}"


class LastingFiles(StaticFiles):
    """Files that never change under their address."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with leave to keep it for a year."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def static_url(path: str) -> str:
    """The address of a file in ``static/``."""
    return f"{ROOT}/{path}"
