"""``convscope serve``: the web application on a port of this machine."""

import argparse

import uvicorn

from app.main import create_app
from app.settings import Settings

# An open stream would keep a stopping server alive for ever.
GRACE_SECONDS = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where to listen."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (%(default)s)")


def run(options: argparse.Namespace) -> None:
    """Serve until the process is told to stop."""
    uvicorn.run(
        create_app(Settings()),
        host=options.host,
        port=options.port,
        timeout_graceful_shutdown=GRACE_SECONDS,
        log_level="info",
        access_log=False,
    )
