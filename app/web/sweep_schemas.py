"""What the API answers of sweeps, field by field."""

from typing import Any

from pydantic import BaseModel, Field

from app.services.run_store import Run
from app.services.sweep_store import Sweep


class SweptRun(BaseModel):
    """One run of a sweep."""

    id: str = Field(examples=["5f0c2a91d3e8"])
    name: str = Field(examples=["simple-cnn 1"])
    state: str = Field(
        description="queued, running, paused, cancelled, failed, finished or interrupted"
    )
    values: dict[str, Any] = Field(description="of the fields that vary")
    epoch: int = Field(description="epochs that are finished")
    epochs: int
    best_accuracy: float | None = Field(description="of all epochs so far; null before the first")
    model: str | None = Field(description="the model that was made of it")
    error: str | None = Field(description="why it has failed")
    reason: str | None = Field(description="why it was stopped early")

    @classmethod
    def of(cls, sweep: Sweep, run: Run) -> "SweptRun":
        """A run as a line of its sweep."""
        return cls(
            values=sweep.values_of(run),
            best_accuracy=run.metrics.get("best_accuracy"),
            **{key: getattr(run, key) for key in cls.model_fields if key in vars(run)},
        )


class SweepAnswer(BaseModel):
    """Runs of one plan."""

    id: str = Field(examples=["b7d10c44e29f"])
    name: str = Field(examples=["simple-cnn"])
    created_at: str
    plan: dict[str, Any] = Field(description="all of it, its defaults included")
    ended: bool = Field(description="whether none of its runs will go on of itself")
    best: str | None = Field(description="the id of the run with the best accuracy so far")
    runs: list[SweptRun] = Field(description="in the order of the plan")

    @classmethod
    def of(cls, sweep: Sweep) -> "SweepAnswer":
        """A sweep in the API's words."""
        return cls(
            id=sweep.id,
            name=sweep.name,
            created_at=sweep.created_at,
            plan=sweep.plan,
            ended=sweep.ended,
            best=sweep.best.id if sweep.best else None,
            runs=[SweptRun.of(sweep, run) for run in sweep.runs],
        )
