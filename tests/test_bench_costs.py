"""Tiny runs of ``bench page`` and ``bench growth``: that they work, never how fast."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from app.benchmarks import growth
from app.benchmarks.growth import Cost, Growth
from app.benchmarks.growth_plots import growth_table, plot_growth

ROOT = Path(__file__).parent.parent


def bench(subject: str, folder: Path) -> str:
    """What a quick run has put into a document."""
    document = folder / "benchmarks.md"
    name = f"convscope bench {subject}"
    document.write_text(f"<!-- {name} -->\n<!-- end of {name} -->\n")
    words = ["bench", subject, "--quick", "--write", str(document)]
    command = [sys.executable, "-W", "error", "-m", "app.cli", *words]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return document.read_text()


def cells(text: str, title: str) -> list[list[str]]:
    """The rows of a section's table, cell by cell, without its heading."""
    section = text.partition(f"### {title}\n")[2].partition("###")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_pages_are_opened_and_weighed(tmp_path: Path) -> None:
    text = bench("page", tmp_path)
    first = {what: measured for what, measured, _ in cells(text, "The first page")}
    assert all(re.match(r"\d", measured) for measured in first.values())
    # All of a page's files in a few kilobytes, or none, would be a measurement of nothing.
    assert 50 < int(first["sent for it, compressed"].removesuffix(" kB")) < 300
    assert int(first["in so many requests"]) > 20
    (visit,) = cells(text, "Every layer of a large network")
    assert visit[:2] == ["`resnet18`", "3"]
    before, most, after = (int(one.removesuffix(" MiB")) for one in visit[2:])
    assert most >= before > 0
    assert after > 0


def test_cost_is_drawn_for_each_thing_that_grows(tmp_path: Path) -> None:
    text = bench("growth", tmp_path)
    pictures = re.findall(r"!\[Cost by [^]]+\]\((cost-\w+\.svg)\)", text)
    assert pictures == [f"cost-{one}.svg" for one in ("channels", "layers", "size", "clients")]
    for name in pictures:
        words = " ".join(ElementTree.parse(tmp_path / name).getroot().itertext())
        assert "milliseconds" in words
    sizes = [row[0] for row in cells(text, "By convolutions")]
    assert sizes == [str(one) for one in growth.LAYERS[:2]]
    assert [row[0] for row in cells(text, "By clients")] == [str(n) for n in growth.CLIENTS[:2]]


@pytest.mark.parametrize(("channels", "layers", "side"), [(1, 1, 14), (8, 3, 28)])
def test_the_networks_are_as_large_as_they_are_said_to_be(
    channels: int, layers: int, side: int
) -> None:
    model = growth._model(channels, layers, side)
    maps = [one for one in model.layers if one.kind == "conv2d"]
    assert [one.output_shape for one in maps] == [(channels, side, side)] * layers
    weights = 9 * channels * (1 + (layers - 1) * channels)
    assert model.multiply_adds == weights * side**2 + 10 * channels
    picture = torch.rand(1, side, side)
    (said,) = model.predict(picture[None])
    torch.testing.assert_close(said.logits, model.trace(picture).logits, rtol=1e-4, atol=1e-6)


def test_the_same_numbers_are_the_same_picture() -> None:
    one = Growth("size", "pixels", "held", [Cost(1, 2.0, 1.0, 4.0), Cost(2, 8.0, 4.0, 16.0)])
    assert plot_growth(one) == plot_growth(one)
    assert growth_table(one).splitlines()[2:] == [
        "| 1 | 2.00 ms | 1.00 ms | 4.00 ms |",
        "| 2 | 8.00 ms | 4.00 ms | 16.0 ms |",
    ]
