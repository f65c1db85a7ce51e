"""LitServe serving the subject, in an environment of its own.

Batches are made as its documentation says: by ``max_batch_size`` and ``batch_timeout`` (seconds).
The fast queue is ZeroMQ.
"""

import argparse
from typing import Any

import litserve
from torch import Tensor

from app.benchmarks.peers.subject import Subject


class DigitsAPI(litserve.LitAPI):  # type: ignore[misc]
    """From a request's JSON to its probabilities, in one of LitServe's workers."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self.subject = Subject()

    def decode_request(self, request: dict[str, Any]) -> Tensor:
        """Decode and prepare the picture."""
        return self.subject.prepare(request)

    def predict(self, inputs: Tensor) -> list[Any]:
        """Predict one prepared picture, or a batch that LitServe has stacked."""
        if inputs.dim() == 3:
            return self.subject.predict(inputs[None])[0]
        return self.subject.predict(inputs)

    def encode_response(self, output: list[float]) -> dict[str, Any]:
        """Answer with the probabilities."""
        return {"probabilities": output}


def main() -> None:
    """Serve until the process is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--wait", type=float, default=0.0)
    parser.add_argument("--queue", choices=("fast", "plain"), default="plain")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    api = DigitsAPI(max_batch_size=options.batch, batch_timeout=options.wait)
    server = litserve.LitServer(
        api,
        accelerator="cpu",
        workers_per_device=options.workers,
        fast_queue=options.queue == "fast",
    )
    server.run(
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )


if __name__ == "__main__":
    main()
