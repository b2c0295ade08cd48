"""One cell of the table, in a process of its own: `python -m benchmarks.scaling.cell BATCH LENGTH LAYERS`."""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from core.models.actor_critic import ActorCritic, ChoiceHead
from core.models.encoder import TextEncoder
from core.rl.learner import Learner
from core.rl.supervised import Demonstrations, Supervised, SupervisedSettings

ACTIONS, PASSES, TEXTS = 78, 3, 128
SPECIAL_TOKENS = 2  # [CLS] and [SEP]


def main(batch: int, length: int, layers: int) -> None:
    """Print the rates of three passes and the peak of memory above that of the loaded weights."""
    torch.manual_seed(0)
    encoder = TextEncoder(adapt="top", layers=layers, max_length=length)
    policy = ActorCritic(encoder, ChoiceHead(encoder.width, (ACTIONS,)))
    texts = _texts(max(TEXTS, 2 * batch), length)
    targets = np.eye(ACTIONS, dtype=np.float32)[np.arange(len(texts)) % ACTIONS]
    settings = SupervisedSettings(batch_size=batch)
    with tempfile.TemporaryDirectory() as folder:
        learner = Learner(
            policy,
            Supervised(Demonstrations({"text": texts}, targets), settings),
            settings,
            validate=lambda _: 0.0,
            folder=Path(folder),
            fingerprint="",
            seed=0,
            report=lambda *_: None,
        )
        before = _peak_bytes(reset=True)
        learner.iterate(0)  # fills the cache of what the frozen layers say, and the optimiser's moments
        rates = [_rate(learner, seed) for seed in range(1, PASSES + 1)]
    print(json.dumps({"texts_a_second": rates, "peak_mebibytes": (_peak_bytes() - before) / 2**20}))


def _texts(count: int, length: int) -> tuple[str, ...]:
    """Different texts of exactly `length` tokens: each of the ten digits is one."""
    words = length - SPECIAL_TOKENS
    return tuple(" ".join(str(number // 10**place % 10) for place in range(words)) for number in range(count))


def _rate(learner: Learner, seed: int) -> float:
    begun = time.perf_counter()
    _, texts = learner.iterate(seed)
    return texts / (time.perf_counter() - begun)


def _peak_bytes(*, reset: bool = False) -> int:
    """Peak so far; `reset` makes it the present use, from which it can be measured anew."""
    if torch.cuda.is_available():
        if reset:
            torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated()
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
