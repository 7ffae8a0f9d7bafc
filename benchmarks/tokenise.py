"""Cutting texts into tokens.

Our codec (`encode_batch`: tokens as one padded array) and the whole of preparing's part (tokens, the length that fits
them, padding, writing) against the package `tokenizers` alone, `encode_batch_fast` on the same list with the same limit
of tokens. The ways take turns, and each figure is the best of five, in a process of its own that may use one core or
two. The texts are made of words in the proportions of natural language (Zipf), some of them rare, with punctuation.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from benchmarks.cells import Cell, run
from benchmarks.prepare import use_cores
from pipelines.preparing.text import MOST_TOKENS, fitting_length, write
from pipelines.preparing.vocabulary import learn_tokenizer
from search_spaces.text_backbones import tokenizer_json
from serving.codecs.text import TextCodec, max_chars_for

FILES = (
    "serving/codecs/text.py",
    "pipelines/preparing/text.py",
    "pipelines/preparing/vocabulary.py",
    "benchmarks/tokenise.py",
)
REPEATS = 5
SYLLABLES = ("ba", "con", "der", "ing", "mo", "ter", "pre", "sta", "lu", "ve", "ness", "tri", "qua", "el", "or")


def compare(name: str, count: int, words: int, cores: int) -> dict[str, Any]:
    """Texts per second of the package, of the codec and of preparing."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=use_cores, initargs=(cores,)) as pool:
        best = pool.submit(measure, name, count, words).result()
    return {
        "texts": count,
        "words_per_text": words,
        "cores": cores,
        "tokenizers_per_second": round(count / best["tokenizers"]),
        "codec_per_second": round(count / best["codec"]),
        "preparing_per_second": round(count / best["preparing"]),
        "codec_over_tokenizers": round(best["codec"] / best["tokenizers"], 3),
        "preparing_over_tokenizers": round(best["preparing"] / best["tokenizers"], 3),
    }


def measure(name: str, count: int, words: int) -> dict[str, float]:
    """Seconds of each way, the best of some."""
    texts = make_texts(count, words)
    saved = tokenizer_json() if name == "minilm" else learn_tokenizer(texts[: count // 4])
    codec = TextCodec(
        max_tokens=MOST_TOKENS, max_chars=max_chars_for(MOST_TOKENS), tokenizer=name, tokenizer_json=saved
    )
    alone = Tokenizer.from_str(saved)
    alone.no_padding()
    alone.enable_truncation(MOST_TOKENS)
    ways: dict[str, Callable[[], Any]] = {
        "tokenizers": lambda: alone.encode_batch_fast(texts),
        "codec": lambda: codec.encode_batch(texts),
        "preparing": lambda: prepare(codec, texts),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(REPEATS):
        for way, function in ways.items():
            started = time.perf_counter()
            function()
            best[way] = min(best[way], time.perf_counter() - started)
    return best


def prepare(codec: TextCodec, texts: list[str]) -> None:
    """What `prepare_text` does with the texts' tokens."""
    parts = list(codec.tokenise(texts))
    lengths = np.concatenate([part.lengths for part in parts])
    with tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-") as folder:
        write(codec.shortened(fitting_length(lengths)), parts, Path(folder) / "inputs.bin")


def make_texts(count: int, words: int) -> list[str]:
    rng = np.random.default_rng(0)
    vocabulary = ["".join(rng.choice(SYLLABLES, rng.integers(1, 5))) for _ in range(20_000)]
    chosen = rng.zipf(1.2, (count, words)).clip(max=len(vocabulary)) - 1
    return [" ".join(vocabulary[word] for word in row).capitalize() + ", and so on." for row in chosen]


CELLS = tuple(
    Cell(
        bench="tokenise",
        name=f"{name}-{words}-words-{cores}-core{'s' * (cores > 1)}",
        measure=partial(compare, name, count, words, cores),
        files=FILES,
        packages=("tokenizers", "numpy"),
    )
    for name in ("minilm", "learnt")
    for words, count in ((20, 50_000), (80, 15_000))
    for cores in (1, 2)
)

if __name__ == "__main__":
    run(CELLS)
