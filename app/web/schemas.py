"""What the API answers, field by field."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.core.layers import Layer
from app.core.model import Model, Prediction


class Health(BaseModel):
    status: str = "ok"
    version: str


class Preprocessing(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    method: str = Field(description="digit: as MNIST was made; picture: resize and crop")
    mean: list[float]
    std: list[float]


class Card(BaseModel):
    """What is known of a model."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    title: str
    description: str
    network: str
    dataset: str
    default: bool
    parameters: int
    input_shape: list[int] = Field(description="channels, height, width")
    classes: list[str]
    preprocessing: Preprocessing
    recipe: dict[str, Any] = Field(description="how it was trained")
    metrics: dict[str, Any] = Field(description="what was measured on it")
    weights: str | None = Field(description="the weight file; null: untrained, random weights")


class ReceptiveField(BaseModel):
    """Unit (y, x) sees height x width input pixels from (top + y * stride_y, ...) on."""

    model_config = ConfigDict(from_attributes=True)

    height: int
    width: int
    top: int
    left: int
    stride_y: int
    stride_x: int


class LayerCard(BaseModel):
    """One named step of a network; shapes are without the batch."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    kind: str
    summary: str
    input_shape: list[int]
    output_shape: list[int]
    parameters: int
    weight_shape: list[int] | None
    receptive_field: ReceptiveField
    reads: list[str] = Field(description='the layers that it takes; "input" is the picture')
    signed: bool = Field(description="whether an activation can be negative")


class ModelDescription(Card):
    """A card with the model's layers in forward order."""

    layers: list[LayerCard]

    @classmethod
    def of(cls, model: Model) -> "ModelDescription":
        """Describe a loaded model."""
        card = Card.model_validate(model.card).model_dump()
        return cls(**card, layers=[describe(layer) for layer in model.layers])


def describe(layer: Layer) -> LayerCard:
    """A layer as the API and the page tell it."""
    return LayerCard.model_validate(layer)


class ClassProbability(BaseModel):
    label: str
    probability: float


class PredictionAnswer(BaseModel):
    """What a model says of one picture."""

    model: str
    label: str
    probability: float
    probabilities: list[ClassProbability] = Field(
        description="in class order, summing to 1; with top=, the most probable first"
    )
    logits: list[float] = Field(description="in class order")
    input_shape: list[int]
    elapsed_ms: float

    @classmethod
    def of(
        cls, model: Model, prediction: Prediction, elapsed_ms: float, top: int | None = None
    ) -> "PredictionAnswer":
        """A prediction in the API's words; ``top`` keeps the most probable classes."""
        pairs = [
            ClassProbability(label=label, probability=probability)
            for label, probability in zip(
                prediction.classes, prediction.probabilities.tolist(), strict=True
            )
        ]
        best = pairs[prediction.best]
        if top is not None:
            pairs = sorted(pairs, key=lambda pair: -pair.probability)[:top]
        return cls(
            model=model.card.name,
            label=best.label,
            probability=best.probability,
            probabilities=pairs,
            logits=prediction.logits.tolist(),
            input_shape=list(model.card.input_shape),
            elapsed_ms=round(elapsed_ms, 3),
        )


class PredictionsAnswer(BaseModel):
    """What a model says of each picture of a batch, in order."""

    predictions: list[PredictionAnswer]


class ImageAnswer(BaseModel):
    id: str = Field(description="made of the picture's content")


class ProblemAnswer(BaseModel):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str = Field(description="what to do")
