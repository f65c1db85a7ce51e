"""The whole comparison: every server that is installed, one after the other, as tables."""

import os
from collections.abc import Callable, Iterator, Sequence

from app.benchmarks.http_load import Limits
from app.benchmarks.peers.comparing import (
    BATCHINGS,
    FORMS,
    Questions,
    ServerLoad,
    Trial,
    best_batchings,
    compare,
    make_questions,
    try_batchings,
)
from app.benchmarks.peers.comparison_tables import aims_table, loads_table, trials_table
from app.benchmarks.peers.servers import (
    FAST,
    UNBATCHED,
    bare,
    convscope,
    direct_gradio,
    gradio,
    is_installed,
    litserve,
    versions,
)

PEERS = {"litserve": "LitServe", "gradio": "Gradio"}
FULL, QUICK, TRIAL = Limits(seconds=2), Limits(seconds=0.2), Limits(seconds=2)
ROUNDS = 3
MISSING = "Not installed; `make bench-peers` does it."

Say = Callable[[str], None]


def compare_peers(quick: bool, say: Say) -> tuple[dict[str, str], dict[str, str]]:
    """Facts and tables by name; a peer that isn't installed is left out, and the facts say so.

    Raises Disagreement where a server predicts something else than torch.
    """
    load = os.getloadavg()[0]
    questions, limits = make_questions(), QUICK if quick else FULL
    trials = _try_batchings(questions, quick, say) if is_installed("litserve") else []
    rounds = []
    for _ in range(1 if quick else ROUNDS):
        for one in _compare_all(questions, trials, limits):
            clients, rate = one.load.clients, one.load.rate
            say(f"{one.server}, {one.form}, clients: {clients}: {rate:.0f} a second.")
            rounds.append(one)
    measured = typical(rounds)
    facts = {title: _describe(peer) for peer, title in PEERS.items()}
    facts["Client"] = _client(measured)
    facts["Processes that wanted a core"] = f"{load:.1f} on average before it, of any program"
    parts = {"Side by side": loads_table(measured), "Aims": aims_table(measured)}
    if trials:
        parts["LitServe's ways of making batches"] = trials_table(trials)
    return facts, parts


def typical(rounds: Sequence[ServerLoad]) -> list[ServerLoad]:
    """Of the rounds of each server, form and number of clients the one with the middle rate, in the
    order in which they came first."""
    found: dict[tuple[str, str, int], list[ServerLoad]] = {}
    for one in rounds:
        found.setdefault((one.server, one.form, one.load.clients), []).append(one)
    return [sorted(ones, key=lambda one: one.load.rate)[len(ones) // 2] for ones in found.values()]


def _try_batchings(questions: Sequence[Questions], quick: bool, say: Say) -> list[Trial]:
    trials = []
    wanted, limits = (BATCHINGS[:1], QUICK) if quick else (BATCHINGS, TRIAL)
    for one in try_batchings(wanted, questions, limits):
        say(f"LitServe, {one.batching}: {', '.join(f'{rate:.0f}' for rate in one.rates.values())}.")
        trials.append(one)
    return trials


def _compare_all(
    questions: Sequence[Questions], trials: Sequence[Trial], limits: Limits
) -> Iterator[ServerLoad]:
    for ours in (convscope(), bare()):
        yield from compare(ours, questions, limits)
    if trials:
        for batching in (UNBATCHED, FAST):
            yield from compare(litserve(batching), questions, limits)
        best = best_batchings(trials)
        for batching in dict.fromkeys(best[form] for form in FORMS):
            suited = [one for one in questions if best[one.form] == batching]
            yield from compare(litserve(batching), suited, limits)
    if is_installed("gradio"):
        yield from compare(gradio(), questions, limits)
        yield from compare(direct_gradio(), questions, limits)


def _describe(peer: str) -> str:
    if not is_installed(peer):
        return MISSING
    return ", ".join(f"{name} {version}" for name, version in versions(peer).items())


def _client(measured: Sequence[ServerLoad]) -> str:
    most = max(one.load.client_seconds / one.load.seconds for one in measured)
    return f"one asyncio process on the same cores; it took at most {most:.0%} of one of them"
