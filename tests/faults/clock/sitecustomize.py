"""Python imports this before anything else where this folder is in PYTHONPATH: the clock on the
wall goes wrong by as many seconds as the file in CLOCK_FILE says, which may change at any time.

What measures how long something takes (``time.monotonic``) is as ever, as on a real machine whose
clock is set.
"""

import datetime
import os
import time
from datetime import datetime as TrueDatetime
from pathlib import Path
from typing import Any

_FILE = Path(os.environ["CLOCK_FILE"])
_true_time, _true_time_ns = time.time, time.time_ns


def _off() -> float:
    return float(_FILE.read_text() or 0)


class _Datetime(TrueDatetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:  # noqa: ANN401
        return TrueDatetime.now(tz) + datetime.timedelta(seconds=_off())


time.time = lambda: _true_time() + _off()
time.time_ns = lambda: _true_time_ns() + int(_off() * 1e9)
datetime.datetime = _Datetime  # type: ignore[misc]
