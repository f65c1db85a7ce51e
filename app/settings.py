"""What the environment decides: every setting is a variable ``CONVSCOPE_<NAME>``."""

from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of the server and of the command line."""

    model_config = SettingsConfigDict(env_prefix="CONVSCOPE_", extra="forbid")

    data_dir: Path = Path("data")
    datasets_dir: Path | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    max_body_bytes: int = 50 * 1024 * 1024
    max_pixels: int = 16_000_000

    @property
    def datasets_root(self) -> Path:
        """Where data sets lie: a torchvision root."""
        return self.datasets_dir or self.data_dir / "datasets"
