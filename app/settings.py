"""What the environment decides: every setting is a variable ``CONVSCOPE_<NAME>``."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.core.dataset_files import DatasetFolders
from app.core.errors import InvalidSettings

PREFIX = "CONVSCOPE_"


def _split(names: object) -> object:
    """Names in one string, separated by commas, as a list in small letters."""
    if not isinstance(names, str):
        return names
    return [name for part in names.lower().split(",") if (name := part.strip())]


SHORTEST_TOKEN = 16


def _hard_to_guess(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if len(text) < SHORTEST_TOKEN or not all("!" <= letter <= "~" for letter in text):
        raise ValueError(
            f"must be {SHORTEST_TOKEN} characters or more, each a letter, a digit or a sign of "
            "ASCII, none a space; `openssl rand -hex 16` makes one"
        )
    return token


HostName = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)$")]


class Settings(BaseSettings):
    """Settings of the server and of the command line."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid")

    data_dir: Path = Path("data")
    datasets_dir: Path | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    hosts: Annotated[frozenset[HostName], NoDecode, BeforeValidator(_split)] = frozenset()
    max_body_bytes: PositiveInt = 50 * 1024 * 1024
    max_pixels: PositiveInt = 16_000_000
    max_requests: PositiveInt = 512
    max_held_bytes: PositiveInt = 512 * 1024 * 1024
    max_streams: PositiveInt = 512
    max_streams_per_client: PositiveInt = 64
    patience: PositiveFloat = 20
    runs_at_once: PositiveInt = 1
    run_threads: PositiveInt = 1
    resume_runs: bool = False
    snapshot_bytes: PositiveInt = 256 * 1024 * 1024
    engine: Literal["local", "ray"] = "local"
    ray_address: str = "auto"
    token: Annotated[SecretStr, AfterValidator(_hard_to_guess)] | None = None

    @property
    def dataset_folders(self) -> DatasetFolders:
        """Where data sets lie: a torchvision root, and ConvScope's own files."""
        kept = self.data_dir / "datasets"
        return DatasetFolders(self.datasets_dir or kept, kept)


def read_settings() -> Settings:
    """The settings of the environment. Raises InvalidSettings, which names the variables."""
    try:
        return Settings()
    except ValidationError as error:
        faults = [_in_words(fault) for fault in error.errors()]
        # Without its cause, which has the values in it.
        raise InvalidSettings(" ".join(faults)) from None


def _in_words(fault: ErrorDetails) -> str:
    field = str(fault["loc"][0])
    given = "" if field == "token" else f" is {fault['input']!r}"
    return f"{PREFIX}{field.upper()}{given}: {fault['msg']}."
