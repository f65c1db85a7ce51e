"""``convscope serve``: the web application on a port of this machine."""

import argparse
import gc

import uvicorn

from app.main import create_app

# An open stream would keep a stopping server alive for ever.
GRACE_SECONDS = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where to listen."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=read_port, default=8000, help="its port (%(default)s)")


def read_port(text: str) -> int:
    """A port's number; 0 is any that is free."""
    if text.isascii() and text.isdigit() and int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number of 0 to 65535")


def run(options: argparse.Namespace) -> None:
    """Serve until the process is told to stop."""
    app = create_app()
    # All that is there by now stays. To look through it for garbage would hold all requests up, for
    # tenths of a second.
    gc.freeze()
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        timeout_graceful_shutdown=GRACE_SECONDS,
        log_level="info",
        access_log=False,
    )
