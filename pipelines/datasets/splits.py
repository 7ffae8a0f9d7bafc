"""The names that people give to splits."""

from __future__ import annotations

from records.data import Split

ALIASES: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trn"), Split.TRAIN),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), Split.VALIDATION),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout"), Split.TEST),
}


def split_named(name: str) -> Split | None:
    """The split that `name` means in any case, or `None`."""
    return ALIASES.get(name.strip().lower())
