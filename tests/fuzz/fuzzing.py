"""Feeds bytes that coverage leads to into one target: ``python -m tests.fuzz.fuzzing <target>``.

Then come options and folders of libFuzzer's. It ends with a status other than 0, and keeps the
bytes, where the target raises, takes more than ten seconds, or makes the process larger than 2 GB.
"""

import sys

import atheris

with atheris.instrument_imports(include=["app", "PIL", "json", "zipfile"]):
    import PIL.BmpImagePlugin
    import PIL.GifImagePlugin
    import PIL.JpegImagePlugin
    import PIL.PngImagePlugin
    import PIL.WebPImagePlugin  # noqa: F401

    from tests.fuzz.targets import TARGETS

LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"]

if __name__ == "__main__":
    program, target, *options = sys.argv
    atheris.Setup([program, *LIMITS, *options], TARGETS[target])
    atheris.Fuzz()
