"""``convscope predict``: what a model says of picture files."""

import argparse
import sys
from pathlib import Path

import torch

from app.core.cards import notice_of
from app.core.devices import choose_device
from app.core.errors import ConvScopeError, UnreadableImage
from app.core.images import read_picture
from app.core.model import Model, Prediction
from app.core.preparing import prepare
from app.services.model_library import ModelLibrary
from app.settings import Settings, read_settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which pictures, which model, how many classes."""
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE", help="a picture file")
    parser.add_argument("--model", help="the model's name; the default model's unless given")
    parser.add_argument(
        "--top",
        type=read_count,
        default=3,
        help="how many classes to print, the most probable first (default: %(default)s)",
    )


def read_count(text: str) -> int:
    """A whole number from 1 on."""
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")


def run(options: argparse.Namespace) -> int:
    """Print a line per picture, and on stderr what can't be predicted; 1 if anything can't."""
    settings = read_settings()
    library = ModelLibrary(choose_device(settings.device), settings.data_dir / "models")
    model = library.get(options.model)
    if notice := notice_of(model.card):
        print(f"convscope: {notice}", file=sys.stderr)
    failed = 0
    for path in options.pictures:
        try:
            print(f"{path}: {in_words(predict(model, path, settings), options.top)}")
        except ConvScopeError as error:
            print(f"convscope: {path}: {error}", file=sys.stderr)
            failed = 1
    return failed


def predict(model: Model, path: Path, settings: Settings) -> Prediction:
    """What the model says of a file. Raises what reading and preparing raise."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImage(f"The file can't be read: {error.strerror}.") from error
    picture = read_picture(data, settings.max_pixels)
    prepared = prepare(picture, model.card.input_shape, model.card.preprocessing)
    return model.predict(torch.stack([prepared.tensor]))[0]


def in_words(prediction: Prediction, top: int) -> str:
    """The most probable classes with their probabilities."""
    pairs = zip(prediction.classes, prediction.probabilities.tolist(), strict=True)
    best = sorted(pairs, key=lambda pair: -pair[1])[:top]
    return ", ".join(f"{label} {probability:.2%}" for label, probability in best)
