"""Writes what fuzzing begins with, ``python -m tests.fuzz.seeding``: small whole files, which no
person has drawn, of each kind that is read."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

CORPUS = Path(__file__).parent / "corpus"
RAMP = (np.arange(9 * 7 * 4).reshape(7, 9, 4) % 251).astype(np.uint8)


def write() -> None:
    """Write all seeds; what fuzzing has found besides stays."""
    for kind, seeds in (
        ("pictures", pictures()),
        ("weights", weights()),
        ("cards", cards()),
        ("datasets", datasets()),
        ("zips", zips()),
    ):
        (CORPUS / kind).mkdir(parents=True, exist_ok=True)
        for name, content in seeds:
            (CORPUS / kind / name).write_bytes(content)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def pictures() -> Iterator[tuple[str, bytes]]:
    colours = Image.fromarray(RAMP)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield f"{mode}.png", encoded(colours.convert(mode), "PNG")
    yield "16.png", encoded(Image.fromarray(RAMP[..., 0].astype(np.uint16) * 257), "PNG")
    turned = Image.Exif()
    turned[0x0112] = 6
    yield "turned.jpg", encoded(colours.convert("RGB"), "JPEG", exif=turned)
    steps = encoded(colours.convert("L"), "JPEG", progressive=True)
    yield "steps.jpg", steps
    yield "scans.jpg", with_scans(steps, 101)
    plain = encoded(colours.convert("L"), "PNG")
    yield "profiles.png", with_notes(plain, b"iCCP", 2)
    yield "notes.png", with_notes(plain, b"zTXt", 101)
    yield "four.jpg", encoded(colours.convert("CMYK"), "JPEG")
    yield "exact.webp", encoded(colours, "WEBP", lossless=True)
    yield "lossy.webp", encoded(colours.convert("RGB"), "WEBP")
    frames = [colours.convert("L"), colours.convert("L").rotate(90)]
    yield "moving.gif", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield "8.bmp", encoded(colours.convert("L"), "BMP")
    yield "24.bmp", encoded(colours.convert("RGB"), "BMP")


def with_scans(progressive: bytes, more: int) -> bytes:
    """A JPEG whose last scan comes so many times more."""
    last = progressive.rindex(b"\xff\xda")
    return progressive[:-2] + more * progressive[last:-2] + progressive[-2:]


def with_notes(png: bytes, kind: bytes, count: int) -> bytes:
    """A PNG with so many notes, each of which unpacks to some hundred times its size."""
    content = kind + b"k\0\0" + zlib.compress(bytes(20_000), 9)
    note = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    head = png.index(b"IDAT") - 4
    return png[:head] + count * note + png[head:]


def weights() -> Iterator[tuple[str, bytes]]:
    yield "two", save({"fc.weight": torch.ones(2, 3), "fc.bias": torch.zeros(2)})
    yield "bytes", save({"a": torch.arange(8, dtype=torch.uint8)}, {"title": "a"})
    yield "none", save({})


def cards() -> Iterator[tuple[str, bytes]]:
    card = {
        "name": "own",
        "title": "Own",
        "description": "",
        "network": "simple-cnn",
        "dataset": "mnist",
        "classes": list("0123456789"),
        "input_shape": [1, 28, 28],
        "preprocessing": {"method": "digit", "mean": [0.0], "std": [1.0]},
        "weights": "own.safetensors",
    }
    yield "own", json.dumps(card).encode()


def datasets() -> Iterator[tuple[str, bytes]]:
    tensors = {
        f"{part}.{what}": tensor.clone()
        for part in ("train", "test")
        for what, tensor in (
            ("images", torch.zeros(2, 1, 4, 4, dtype=torch.uint8)),
            ("labels", torch.tensor([0, 1])),
        )
    }
    yield "two", save(tensors, {"title": "Own", "classes": '["a", "b"]'})


def zips() -> Iterator[tuple[str, bytes]]:
    picture = encoded(Image.fromarray(RAMP[:4, :4, 0]), "PNG")
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for path in ("train/a/1", "train/b/1", "test/a/1", "test/b/1"):
                info = zipfile.ZipInfo(path)  # of a date that is always the same
                archive.writestr(info, picture, method)
        yield name, file.getvalue()


if __name__ == "__main__":
    write()
