"""What the API answers, field by field."""

import math
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.core.cards import notice_of
from app.core.evaluating import Evaluation
from app.core.layers import Layer
from app.core.model import Model, Prediction
from models.registry import ModelCard

MOST_CONFUSED = 10


class Health(BaseModel):
    """The server is up."""

    status: str = "ok"
    version: str = Field(examples=["0.1.0"])


class Preprocessing(BaseModel):
    """How a picture becomes a model's input."""

    model_config = ConfigDict(from_attributes=True)

    method: str = Field(description="digit: as MNIST was made; picture: resize and crop")
    mean: list[float]
    std: list[float]


class Card(BaseModel):
    """What is known of a model."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["digits"])
    title: str = Field(examples=["Digits"])
    description: str
    network: str = Field(examples=["digits"])
    dataset: str = Field(examples=["mnist"])
    default: bool = Field(description="the model that is used where none is named")
    parameters: int = Field(examples=[79690])
    input_shape: list[int] = Field(description="channels, height, width", examples=[[1, 28, 28]])
    classes: list[str] = Field(examples=[list("0123456789")])
    preprocessing: Preprocessing
    recipe: dict[str, Any] = Field(description="how it was trained")
    metrics: dict[str, Any] = Field(description="what was measured on it")
    weights: str | None = Field(description="the weight file; null: untrained, random weights")
    origin: str | None = Field(description="whose weights they are, where others trained them")
    notice: str | None = Field(description="what must be said of an untrained network; else null")


class DatasetCard(BaseModel):
    """What is known of a data set."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["mnist"])
    title: str = Field(examples=["MNIST"])
    classes: list[str] = Field(examples=[list("0123456789")])
    input_shape: list[int] = Field(description="channels, height, width", examples=[[1, 28, 28]])
    train_images: int | None = Field(description="null: it is fetched when it is first used")
    test_images: int | None


class Pair(BaseModel):
    """How often one class was taken for another."""

    true: str = Field(examples=["4"])
    predicted: str = Field(examples=["9"])
    count: int


class CalibrationBin(BaseModel):
    """The images whose largest probability lies in one range."""

    model_config = ConfigDict(from_attributes=True)

    count: int
    confidence: float = Field(description="the mean of that probability")
    accuracy: float = Field(description="the share that was recognised")


class EvaluationAnswer(BaseModel):
    """How good a model is on the test split of the data set that it was trained on."""

    model: str = Field(examples=["digits"])
    dataset: str = Field(examples=["mnist"])
    images: int = Field(examples=[10000])
    accuracy: float = Field(examples=[0.9962])
    loss: float = Field(description="the average cross-entropy in nats")
    classes: list[str]
    class_accuracy: list[float | None] = Field(description="null for a class without images")
    confusion: list[list[int]] = Field(description="a row per true class, a column per predicted")
    most_confused: list[Pair] = Field(description="the most frequent first")
    calibration_error: float = Field(description="expected calibration error, in 0..1")
    calibration: list[CalibrationBin]

    @classmethod
    def of(cls, card: ModelCard, evaluation: Evaluation) -> "EvaluationAnswer":
        """What was measured of the card's model."""
        names = card.classes
        shares = [None if math.isnan(share) else share for share in evaluation.class_accuracy]
        return cls(
            model=card.name,
            dataset=card.dataset,
            images=int(evaluation.confusion.sum()),
            accuracy=evaluation.accuracy,
            loss=evaluation.loss,
            classes=list(names),
            class_accuracy=shares,
            confusion=evaluation.confusion.tolist(),
            most_confused=[
                Pair(true=names[pair.true], predicted=names[pair.predicted], count=pair.count)
                for pair in evaluation.most_confused(MOST_CONFUSED)
            ],
            calibration_error=evaluation.calibration_error,
            calibration=[CalibrationBin.model_validate(one) for one in evaluation.calibration],
        )


class ReceptiveField(BaseModel):
    """Unit (y, x) sees height x width input pixels from (top + y * stride_y, ...) on."""

    model_config = ConfigDict(from_attributes=True)

    height: int = Field(examples=[5])
    width: int = Field(examples=[5])
    top: int = Field(examples=[-2])
    left: int = Field(examples=[-2])
    stride_y: int = Field(examples=[1])
    stride_x: int = Field(examples=[1])


class LayerCard(BaseModel):
    """One named step of a network; shapes are without the batch."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["conv1"])
    kind: str = Field(examples=["conv2d"])
    summary: str = Field(examples=["5 \N{MULTIPLICATION SIGN} 5, pad 2"])
    input_shape: list[int] = Field(examples=[[1, 28, 28]])
    output_shape: list[int] = Field(examples=[[16, 28, 28]])
    parameters: int = Field(examples=[416])
    weight_shape: list[int] | None = Field(examples=[[16, 1, 5, 5]])
    receptive_field: ReceptiveField
    reads: list[str] = Field(
        description='the layers that it takes; "input" is the picture', examples=[["input"]]
    )
    signed: bool = Field(description="whether an activation can be negative")
    channelwise: bool = Field(description="whether channel c comes from channel c alone")


class ModelDescription(Card):
    """A card with the model's layers in forward order."""

    layers: list[LayerCard]

    @classmethod
    def of(cls, model: Model) -> "ModelDescription":
        """Describe a loaded model."""
        card = describe_card(model.card).model_dump()
        return cls(**card, layers=[describe(layer) for layer in model.layers])


def describe_card(card: ModelCard) -> Card:
    """A card as the API and the page tell it."""
    return Card.model_validate(vars(card) | {"notice": notice_of(card)})


def describe(layer: Layer) -> LayerCard:
    """A layer as the API and the page tell it."""
    return LayerCard.model_validate(layer)


class ClassProbability(BaseModel):
    """A class and how probable it is."""

    label: str = Field(examples=["7"])
    probability: float = Field(examples=[0.9987])


class PredictionAnswer(BaseModel):
    """What a model says of one picture."""

    model: str = Field(examples=["digits"])
    label: str = Field(description="the most probable class", examples=["7"])
    probability: float = Field(examples=[0.9987])
    probabilities: list[ClassProbability] = Field(
        description="in class order, summing to 1; with top=, the most probable first"
    )
    logits: list[float] = Field(description="in class order")
    input_shape: list[int] = Field(description="channels, height, width", examples=[[1, 28, 28]])
    elapsed_ms: float = Field(description="decoding, preparing and predicting", examples=[0.6])

    @classmethod
    def of(
        cls, model: Model, prediction: Prediction, seconds: float, top: int | None = None
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
            elapsed_ms=round(seconds * 1000, 3),
        )


class PredictionsAnswer(BaseModel):
    """What a model says of each picture of a batch, in order."""

    predictions: list[PredictionAnswer]


class ImageAnswer(BaseModel):
    """The id under which a picture is kept."""

    id: str = Field(description="made of the picture's content")


class RunAnswer(BaseModel):
    """One training."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(examples=["5f0c2a91d3e8"])
    name: str = Field(examples=["digits"])
    state: str = Field(
        description="queued, running, paused, cancelled, failed, finished or interrupted"
    )
    recipe: dict[str, Any] = Field(description="all of it, its defaults included")
    epoch: int = Field(description="epochs that are finished")
    epochs: int
    metrics: dict[str, float] = Field(
        description="of the newest epoch, with the best validation accuracy so far"
    )
    model: str | None = Field(description="the model that was made of it")
    sweep: str | None = Field(description="the id of the sweep that it belongs to")
    error: str | None = Field(description="why it has failed")
    reason: str | None = Field(description="why it was cancelled, where nobody asked for it")
    created_at: str
    started_at: str | None
    ended_at: str | None


class SnapshotAnswer(BaseModel):
    """The weights of a run at one point, and what they made of the validation images."""

    epoch: float = Field(description="epochs that were done: 0.25 is within the first")
    model: str = Field(description="its name as a model", examples=["5f0c2a91d3e8@0.25"])
    validation_loss: float
    validation_accuracy: float
    confusion: list[list[int]] = Field(description="a row per true class, in class order")


class NewModel(BaseModel):
    """What to call a new model."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="small letters, digits and hyphens", examples=["my-digits"])


class EditsAnswer(BaseModel):
    """A model, and what was edited of another to make it."""

    model: str = Field(examples=["digits~3f2a9c01d7b4"])
    title: str = Field(examples=["Digits, edited: conv1 channel 3 off"])
    base: str = Field(description="the model that was edited", examples=["digits"])
    base_accuracy: float | None = Field(
        description="that model's on the test split; null: not measured", examples=[0.9962]
    )
    edits: list[dict[str, Any]] = Field(
        description="all of them, in order",
        examples=[[{"layer": "conv1", "channel": 3, "off": True}]],
    )
    words: list[str] = Field(
        description="what each of them does", examples=[["conv1 channel 3 off"]]
    )


class Fault(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(examples=["top"])
    message: str = Field(examples=["Input should be greater than or equal to 1"])


class ProblemAnswer(BaseModel):
    """An RFC 9457 problem document."""

    type: str = Field(examples=["urn:convscope:UnknownModel"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(
        description="what to do",
        examples=["There is no model 'digit'. The models are convnet-revisited, digits."],
    )
    errors: list[Fault] | None = Field(default=None, description="field by field, if any")
