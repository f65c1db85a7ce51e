import math
from dataclasses import replace

import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from torch import nn

from app.core import evaluating
from app.core.cards import evaluation_of, with_test
from app.core.dataset_files import Split
from app.core.errors import NotEvaluated
from app.core.evaluating import compute_logits, evaluate, score, to_input
from models.registry import ModelCard, Preprocessing, blank_card


def card(
    shape: tuple[int, int, int] = (1, 4, 4),
    mean: tuple[float, ...] = (0.0,),
    std: tuple[float, ...] = (1.0,),
) -> ModelCard:
    how = Preprocessing("picture", mean, std)
    return replace(blank_card("digits"), input_shape=shape, preprocessing=how)


PLAIN = card()


def test_scores_agree_with_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 5, (400,), generator=generator)
    logits = torch.randn(400, 5, generator=generator) + 2 * nn.functional.one_hot(labels, 5)
    evaluation = score(logits, labels)
    predicted = logits.argmax(dim=1)
    expected = confusion_matrix(labels, predicted)
    assert evaluation.confusion.tolist() == expected.tolist()
    assert evaluation.accuracy == pytest.approx(accuracy_score(labels, predicted))
    assert evaluation.loss == pytest.approx(log_loss(labels, logits.double().softmax(dim=1)))
    recall = expected.diagonal() / expected.sum(axis=1)
    assert evaluation.class_accuracy == pytest.approx(recall.tolist())


def test_a_class_without_images_has_no_accuracy() -> None:
    evaluation = score(torch.eye(3)[:2], torch.tensor([0, 1]))
    assert evaluation.accuracy == 1
    assert evaluation.class_accuracy[:2] == [1, 1]
    assert math.isnan(evaluation.class_accuracy[2])
    assert evaluation.confusion.shape == (3, 3)


def test_inputs_are_normalised_per_channel() -> None:
    images = torch.tensor([0.5, 0.25, 1.0]).reshape(1, 3, 1, 1)
    rgb = card((3, 1, 1), (0.5, 0.0, 0.2), (0.5, 0.25, 0.4))
    assert to_input(images, rgb).flatten().tolist() == pytest.approx([0, 1, 2])


def test_images_of_another_size_are_brought_to_the_network_s() -> None:
    images = torch.tensor([[0.0, 1.0], [1.0, 2.0]]).reshape(1, 1, 2, 2)
    wanted = torch.tensor([0.0, 0.25, 0.75, 1.0])
    resized = to_input(images, card((1, 4, 4)))[0, 0]
    torch.testing.assert_close(resized, wanted[:, None] + wanted[None])


def test_batches_make_no_difference_and_the_network_is_in_evaluation_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 3)).train()
    images = torch.randint(0, 256, (10, 1, 4, 4), dtype=torch.uint8)
    together = compute_logits(network, images, PLAIN)
    monkeypatch.setattr(evaluating, "BATCH_NUMBERS", 3 * images[0].numel())
    torch.testing.assert_close(compute_logits(network, images, PLAIN), together)
    torch.testing.assert_close(together, network[2](images.flatten(1) / 255).detach())


def test_evaluating_counts_every_image_once() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    images = torch.randint(0, 256, (11, 1, 4, 4), dtype=torch.uint8)
    labels = torch.arange(11) % 3
    evaluation = evaluate(network, Split(images, labels), PLAIN)
    assert evaluation.confusion.sum(dim=1).tolist() == [4, 4, 3]


def test_calibration_compares_what_a_model_claims_with_what_is_right() -> None:
    # Five pictures at 0.9 (four right), four at 0.6 (one right): by hand, 5/9 * 0.1 + 4/9 * 0.35.
    claims = [0.9] * 5 + [0.6] * 4
    logits = torch.tensor([[math.log(claim), math.log(1 - claim)] for claim in claims])
    labels = torch.tensor([0, 0, 0, 0, 1, 0, 1, 1, 1])
    evaluation = score(logits, labels)
    sure, unsure = evaluation.calibration[::-1]
    assert (sure.count, unsure.count) == (5, 4)
    assert (sure.confidence, unsure.confidence) == pytest.approx((0.9, 0.6))
    assert (sure.accuracy, unsure.accuracy) == pytest.approx((0.8, 0.25))
    assert evaluation.calibration_error == pytest.approx(5 / 9 * 0.1 + 4 / 9 * 0.35)


def test_a_certain_model_is_calibrated() -> None:
    evaluation = score(torch.eye(3) * 100, torch.arange(3))
    assert evaluation.calibration_error == pytest.approx(0)
    assert evaluation.most_confused(3) == []


def test_the_worst_pairs_come_first() -> None:
    predicted = torch.tensor([1, 1, 1, 2, 0, 0, 2])
    labels = torch.tensor([0, 0, 0, 0, 1, 2, 2])
    evaluation = score(nn.functional.one_hot(predicted, 3).float(), labels)
    worst = [(pair.true, pair.predicted, pair.count) for pair in evaluation.most_confused(2)]
    assert worst == [(0, 1, 3), (0, 2, 1)]


def test_a_card_tells_the_whole_evaluation() -> None:
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(0, 10, (300,), generator=generator)
    evaluation = score(torch.randn(300, 10, generator=generator), labels)
    trained = replace(PLAIN, weights="digits.safetensors")
    again = evaluation_of(ModelCard.from_json(with_test(trained, evaluation).to_json()))
    assert again.confusion.equal(evaluation.confusion)
    assert again.loss == evaluation.loss
    assert again.calibration == evaluation.calibration
    with pytest.raises(NotEvaluated, match="convscope evaluate digits --note"):
        evaluation_of(trained)
