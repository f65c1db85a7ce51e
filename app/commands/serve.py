"""``convscope serve``: the web application on a port of this machine."""

import argparse
import gc
import sys
from contextlib import suppress

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from app.main import create_app
from app.services.preparing_process import fork_preparing_process
from app.settings import read_settings
from app.web.connections import patient
from app.web.server import GRACE_SECONDS, Server

# Many systems let a process have 1,024 unless it asks for more.
CONNECTIONS = 65536


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
    _allow_connections()
    settings = read_settings()
    # All that is there by now stays. To look through it for garbage would hold all requests up, for
    # tenths of a second, and copy what two processes share.
    gc.freeze()
    preparing = fork_preparing_process()
    try:
        app = create_app(settings, preparing)
    except BaseException:
        if preparing:
            preparing.close()
        raise
    gc.freeze()
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        http=patient(settings.patience),
        # A second more than connections are kept: nothing is left then but what can't be stopped.
        timeout_graceful_shutdown=GRACE_SECONDS + 1,
        log_level="info",
        access_log=False,
    )
    with suppress(KeyboardInterrupt):
        server = Server(config, app.state.ending)
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _allow_connections() -> None:
    """Let the process have as many files open as it may: each connection is one."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such limit.
        return
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS if most == resource.RLIM_INFINITY else min(CONNECTIONS, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(usual, wanted), most))
