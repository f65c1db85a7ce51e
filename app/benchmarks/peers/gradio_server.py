"""Gradio serving the subject as an API, in an environment of its own."""

import argparse
import os
from typing import Any

import gradio

from app.benchmarks.peers.subject import Subject


def main() -> None:
    """Serve until the process is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    subject = Subject()

    def predict(content: dict[str, Any]) -> list[float]:
        return subject.predict(subject.prepare(content)[None])[0]

    with gradio.Blocks(analytics_enabled=False) as app:
        gradio.api(predict, api_name="predict", concurrency_limit=os.cpu_count())
    app.launch(server_name="127.0.0.1", server_port=options.port, quiet=True)


if __name__ == "__main__":
    main()
