"""Learns how to cut texts into tokens from the texts themselves, and judges whether a given way suits them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

PADDING, START = "[PAD]", "[START]"
SMALLEST, LARGEST = 512, 8000
"""Tokens of a learnt vocabulary. The 256 bytes are among them, so that no text holds anything unknown."""
WORDS_PER_TOKEN = 20
"""In the training texts: what a network is to learn of a token must be seen so many times on average."""
LEARNT_FROM = 100_000
"""Texts that a vocabulary is learnt from at most; more change little."""
SAMPLE = 2000
"""Training texts by which a tokenizer is judged."""
MOST_UNKNOWN = 0.01
MOST_TOKENS_PER_WORD = 2.5
"""Beyond, a tokenizer cuts words into pieces that say little: the texts are of another language."""


def learn_tokenizer(texts: Sequence[str]) -> str:
    """A tokenizer as the package `tokenizers` writes it, learnt from training texts. Equal texts give equal ones.

    Byte pairs (Sennrich et al. 2016) and not words: any script is read, whatever is misspelt or new is cut into known
    pieces, and nothing has to be called unknown. Capital letters are made small and blanks are made one. Padding has
    the id 0; every text begins with a token of its own, so that an empty one is not nothing.
    """
    chosen = texts[:: max(1, len(texts) // LEARNT_FROM)]
    num_words = sum(len(text.split()) for text in chosen)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=min(max(num_words // WORDS_PER_TOKEN, SMALLEST), LARGEST),
        min_frequency=2,
        special_tokens=[PADDING, START],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(chosen, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", pair=f"{START} $A {START} $B", special_tokens=[(START, tokenizer.token_to_id(START))]
    )
    return tokenizer.to_str()


def why_unsuited(tokenizer_json: str, texts: Sequence[str]) -> str | None:
    """Half a sentence when a tokenizer does not suit training texts; `None` when it does.

    Args:
        tokenizer_json: As the package `tokenizers` writes it.
        texts: Of the training split; a sample of them is looked at.
    """
    sample = list(islice(texts[:: max(1, len(texts) // SAMPLE)], SAMPLE))
    tokenizer = Tokenizer.from_str(tokenizer_json)
    tokenizer.encode_special_tokens = True
    encoded = tokenizer.encode_batch_fast([text[:4096] for text in sample], add_special_tokens=False)
    num_tokens = sum(map(len, encoded)) or 1
    num_words = sum(len(text[:4096].split()) for text in sample) or 1
    unknown = tokenizer.token_to_id("[UNK]")
    share = sum(one.ids.count(unknown) for one in encoded) / num_tokens if unknown is not None else 0.0
    if share >= MOST_UNKNOWN:
        return f"{share:.1%} of their tokens are unknown to it"
    if num_tokens / num_words >= MOST_TOKENS_PER_WORD:
        return f"it cuts a word into {num_tokens / num_words:.1f} pieces"
    return None
