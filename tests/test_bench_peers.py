"""Servers side by side: that the comparison is right, never how fast anybody is."""

import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import torch

from app.benchmarks.http_load import Answer, Limits, Load, drive
from app.benchmarks.peers import servers
from app.benchmarks.peers.comparing import (
    BATCHINGS,
    CLIENTS,
    FORMS,
    PIXELS,
    PNG,
    Disagreement,
    Questions,
    ServerLoad,
    Trial,
    best_batchings,
    compare,
    largest_difference,
    make_questions,
)
from app.benchmarks.peers.comparison_tables import (
    AIMS,
    BARE,
    LITSERVE,
    OURS,
    aims_table,
    loads_table,
    ratio_of,
    trials_table,
)
from app.benchmarks.peers.report import MISSING, PEERS, compare_peers, typical
from app.benchmarks.peers.servers import NoProbabilities, convscope
from app.benchmarks.peers.subject import Subject
from app.benchmarks.process_costs import session_memory, session_seconds
from app.core.checkpoints import load_network
from models.registry import WEIGHTS, list_cards


def cells(table: str) -> list[list[str]]:
    """The rows of a table, cell by cell, without its heading."""
    lines = table.splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def a_load(server: str, form: str, clients: int, rate: int, slowest: float) -> ServerLoad:
    """So many answers in a second, of 1 ms all but the last fiftieth."""
    slow = rate // 50
    times = [1.0] * (rate - slow) + [slowest] * slow
    load = Load(clients, 1.0, [Answer(time, b"") for time in times], 0.1)
    return ServerLoad(server, form, load, 3e-8, 100 * 2**20, 0.8)


def some_loads() -> list[ServerLoad]:
    """ConvScope twice as good as LitServe's batches, which are better than single pictures."""
    rates = {OURS: 800, BARE: 1000, "LitServe": 100, "LitServe, batched": 400, "Gradio": 50}
    slowest = {OURS: 5.0, BARE: 2.5, "LitServe": 80.0, "LitServe, batched": 10.0, "Gradio": 200.0}
    return [
        a_load(server, form, clients, rate, slowest[server])
        for server, rate in rates.items()
        for form in FORMS
        for clients in CLIENTS
    ]


def test_a_row_tells_what_a_server_did() -> None:
    (row,) = cells(loads_table([a_load("LitServe", PNG, 32, 400, 10.0)]))
    assert row == [
        "LitServe",
        PNG,
        "32",
        "400",
        "1.00 ms",
        "10.0 ms",
        "2.00 ms",
        "100 MiB",
        "3e-08",
    ]


def test_ratios_are_to_the_best_of_the_others() -> None:
    ratios = {(aim.what, aim.form, aim.clients, aim.others): aim for aim in AIMS}
    told = {key: ratio_of(aim, some_loads()) for key, aim in ratios.items()}
    batched = ("LitServe, batched",)
    assert told["rate", PNG, 1, LITSERVE] == 2
    assert told["rate", PNG, 1, ("Gradio",)] == 16
    assert told["rate", PIXELS, 32, batched] == 2
    assert told["p99", PNG, 32, batched] == 2


def test_of_several_rounds_the_middle_one_is_told() -> None:
    rates = {"LitServe": (300, 100, 200), "Gradio": (50, 60, 150)}
    rounds = [
        a_load(server, PNG, 32, rates[server][place], 9.0) for place in range(3) for server in rates
    ]
    told = [(one.server, one.load.rate) for one in typical(rounds)]
    assert told == [("LitServe", 200), ("Gradio", 60)]


def test_an_aim_is_reached_missed_or_not_measured() -> None:
    rows = {(row[0], row[1]): row[2:] for row in cells(aims_table(some_loads()))}
    litserve = "the best of LitServe"
    assert rows[f"rate, {PNG}, 1 client", litserve] == ["at least 2.5", "2.00", "no", "2.50"]
    assert rows[f"rate, {PNG}, 1 client", "Gradio"] == ["at least 8", "16.00", "yes", "20.00"]
    past = rows[f"rate, {PNG}, 1 client", "Gradio, past its queue"]
    assert past == ["", "not measured", "", "not measured"]
    p99 = rows[f"p99, {PNG}, 32 clients", "LitServe, batched"]
    assert p99 == ["at least 1", "2.00", "yes", "4.00"]


def test_each_form_has_a_best_way_to_make_batches() -> None:
    few, many = BATCHINGS[:2]
    trials = [Trial(few, {PNG: 100.0, PIXELS: 300.0}), Trial(many, {PNG: 200.0, PIXELS: 250.0})]
    assert best_batchings(trials) == {PNG: many, PIXELS: few}
    first, second = cells(trials_table(trials))
    assert first[4:] == ["100", "**300**"]
    assert second[4:] == ["**200**", "250"]


def answer(probabilities: Sequence[float], request: int = 0) -> Answer:
    told = [{"label": str(label), "probability": one} for label, one in enumerate(probabilities)]
    return Answer(1.0, b"", json.dumps({"probabilities": told}).encode(), request)


QUESTIONS = Questions(PNG, [{}, {}], [[0.25, 0.75], [0.5, 0.5]])


def test_every_answer_is_held_against_its_own_picture() -> None:
    right = [answer([0.25, 0.75]), answer([0.5, 0.5], 1), answer([0.250004, 0.749996])]
    assert largest_difference(convscope(), QUESTIONS, right) == pytest.approx(4e-6, rel=0.05)
    with pytest.raises(Disagreement, match="from torch"):
        largest_difference(convscope(), QUESTIONS, [*right, answer([0.25, 0.75], 1)])


@pytest.mark.parametrize("wrong", [[0.25002, 0.74998], [float("nan"), 0.75], [0.25, 0.75, 0.0]])
def test_a_server_that_predicts_something_else_is_refused(wrong: list[float]) -> None:
    with pytest.raises(Disagreement):
        largest_difference(convscope(), QUESTIONS, [answer(wrong)])


def test_the_subject_and_the_reference_are_the_network_itself() -> None:
    card = next(card for card in list_cards() if card.default)
    network, subject = load_network(card, WEIGHTS), Subject()
    for questions in make_questions():
        for content, expected in zip(questions.contents, questions.expected, strict=True):
            prepared = subject.prepare(content)[None]
            with torch.no_grad():
                wanted = network(prepared).exp()[0]
            wanted /= wanted.sum()
            torch.testing.assert_close(torch.tensor(expected), wanted, rtol=0, atol=1e-6)
            (said,) = subject.predict(prepared)
            torch.testing.assert_close(torch.tensor(said), wanted, rtol=0, atol=1e-6)


def test_answers_of_each_peer_are_understood() -> None:
    litserve = servers.litserve(BATCHINGS[0])
    assert litserve.probabilities(b'{"probabilities": [0.25, 0.75]}') == [0.25, 0.75]
    assert servers.direct_gradio().probabilities(b'{"data": [[0.25, 0.75]]}') == [0.25, 0.75]
    stream = b"event: heartbeat\ndata: null\n\nevent: complete\ndata: [[0.25, 0.75]]\n\n"
    assert servers.gradio().probabilities(stream) == [0.25, 0.75]


def test_an_answer_without_probabilities_says_whose_it_is() -> None:
    with pytest.raises(NoProbabilities, match="Gradio answered"):
        servers.gradio().probabilities(b"event: error\ndata: null\n\n")


def test_gradio_s_result_is_asked_for_by_its_number() -> None:
    follow = servers.gradio().follow
    assert follow
    line = follow(b'{"event_id": "abc"}').partition(b"\r\n")[0]
    assert line == b"GET /gradio_api/call/predict/abc HTTP/1.1"


def chunked(*parts: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body


@contextmanager
def answering(answers: Sequence[bytes]) -> Iterator[tuple[tuple[str, int], list[bytes]]]:
    """A server for one client that gives these answers, and the requests that it gets."""
    seen: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for one in answers:
                seen.append(connection.recv(65536))
                connection.sendall(one)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname(), seen
        thread.join()


def test_a_result_that_is_ready_elsewhere_is_fetched_and_put_together() -> None:
    ticket = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    answers = [ticket + b"7", chunked(b"event: ", b"complete\r\n0\r\n\r\n")]
    with answering(answers) as (address, seen):
        load = drive(address, [b"first"], 1, Limits(9, answers=1), lambda body: b"for " + body)
    assert seen == [b"first", b"for 7"]
    assert [one.body for one in load.answers] == [b"event: complete\r\n0\r\n\r\n"]


def test_answers_know_which_request_was_theirs() -> None:
    ready = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number for number in range(3)]
    with answering(ready) as (address, seen):
        load = drive(address, [b"a", b"b"], 1, Limits(9, answers=3))
    assert seen == [b"a", b"b", b"a"]
    assert [(one.request, one.body) for one in load.answers] == [(0, b"0"), (1, b"1"), (0, b"2")]


def test_a_session_s_memory_is_that_of_its_processes() -> None:
    taken = session_memory(os.getsid(0))
    assert taken
    assert taken > 50 * 2**20  # torch alone
    assert session_memory(2**22 + 1) is None  # more than Linux gives numbers to


def test_a_session_s_processor_time_grows_with_what_it_computes() -> None:
    before = session_seconds(os.getsid(0))
    started = time.process_time()
    while time.process_time() - started < 0.1:
        pass
    after = session_seconds(os.getsid(0))
    assert before is not None
    assert after is not None
    assert after - before >= 0.05
    assert session_seconds(2**22 + 1) is None


def test_without_peers_convscope_is_measured_beside_its_subject_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "ENVIRONMENTS", tmp_path)
    said: list[str] = []
    facts, parts = compare_peers(True, said.append)
    assert [facts[title] for title in PEERS.values()] == [MISSING, MISSING]
    rows = cells(parts["Side by side"])
    both = ("ConvScope", "Bare uvicorn")
    wanted = [
        [server, form, str(clients)] for server in both for form in FORMS for clients in CLIENTS
    ]
    assert [row[:3] for row in rows] == wanted
    assert all(0 <= float(row[-1]) <= 1e-5 for row in rows)
    assert {row[3] for row in cells(parts["Aims"])} == {"not measured"}
    assert len(said) == len(wanted)


def test_a_real_server_s_answers_are_held_against_torch() -> None:
    questions = make_questions()[1]
    shifted = [*questions.expected[1:], questions.expected[0]]
    wrong = Questions(questions.form, questions.contents, shifted)
    with pytest.raises(Disagreement, match="ConvScope is"):
        list(compare(convscope(), [wrong], Limits(0.1)))
