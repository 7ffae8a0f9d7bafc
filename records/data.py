"""What is known about a dataset, from the raw example to the arrays that are trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from records.spec import DataSpec, InputKind

__all__ = [
    "DataSpec",
    "Example",
    "Finding",
    "InputKind",
    "Loader",
    "Prepared",
    "Severity",
    "Source",
    "Split",
    "Understood",
]


class Split(StrEnum):
    """What an example is for: fitting weights, choosing between trials, or the one final reading."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One raw example, as a source yields it."""

    raw: Any
    """An image: a `Path`, encoded `bytes`, or a `<uint8>[height, width]` or `[height, width, channels]` array.
    A text: a `str`. A series: a `<float64>[steps, channels]` array, NaN where a value is missing."""
    label: str | float
    """The name of its class, or the number to be predicted."""
    id: str
    """What a person would call it: a relative path, or a split and number. Unique in its source."""
    split: Split | None = None
    """The split that the source itself names; `None` where it names none."""
    group: str | None = None
    """Examples of one group never straddle two splits."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A dataset that can be read. Reading starts when `examples` is called, so that a known dataset costs nothing."""

    name: str
    """Short; the default name of the model."""
    kind: InputKind
    fingerprint: str | None
    """Changes when the content changes, and is cheap to compute. `None` when only reading tells."""
    examples: Callable[[], Iterator[Example]] | None = None
    """Reads images, texts and series one by one."""
    frame: Callable[[], Any] | None = None
    """Reads a table as a whole, a `pipelines.datasets.tables.frame.Frame`: for rows and for forecasting."""
    num_examples: int | None = None
    """An estimate for progress and free space; `None` when unknown."""
    understood: tuple[Understood, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    """What reading found; complete once `examples` was read to its end."""
    labels: tuple[str, ...] | None = None
    """The classes in the order that the source gives them; `None`: sorted by name."""
    channels: tuple[str, ...] = ()
    """Names of a series' channels in their order; empty: they are numbered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Understood:
    """One thing that was inferred and could have been meant otherwise."""

    what: str
    """A sentence: "The folders train, validation and test are taken as the splits."."""
    override: str = ""
    """The flag that says otherwise; empty where there is none."""


class Severity(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something seen in the data, and what was done about it."""

    code: str
    """Stable name: "unreadable", "exact_duplicates", "near_duplicates_across_splits", "imbalance", …"""
    severity: Severity
    what: str
    """A sentence: "3 files are not readable images."."""
    done: str
    """A sentence: "They were left out."."""
    examples: tuple[str, ...] = ()
    """Ids of at most ten of them."""
    count: int = 0


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Encoded examples as memory-mapped arrays, and who belongs to which split."""

    fingerprint: str
    """Of source, codec, and split together: equal fingerprints, equal arrays and splits."""
    folder: Path
    spec: DataSpec
    codec: dict[str, Any]
    """What `codec.json` holds; the same file that serving reads."""
    inputs: Any
    """`<spec.dtype>[examples, *spec.input_shape]`, a read-only memory map, every split together."""
    targets: Any
    """`<int64>[examples]` class indices; `<float32>[examples]` numbers; `<float32>[examples, horizon]` futures."""
    ids: Sequence[str]
    indices: dict[Split, Any] = field(default_factory=dict)
    """`<int64>[split size]` rows of `inputs` for each split."""
    scales: Any = None
    """Forecasting: `<float32>[examples, 3]`, the level and the spread of each window's past, which its future is
    learnt relative to, and the mean absolute error of the seasonal naive forecast in its series' training part.
    `None` elsewhere."""
    clusters: Any = None
    """`<int64>[examples]`: equal for examples that are not independent of each other (windows that overlap, rows of
    one group), which are resampled together. `None`: every example for itself."""
    sample: dict[str, Any] | None = None
    """One validation example as a request has it; `None` for images, whose arrays are pictures already."""
    sample_row: int = -1
    """Its row."""
    findings: tuple[Finding, ...] = ()
    understood: tuple[Understood, ...] = ()
    reused: bool = False
    """True when an earlier run had prepared the same data."""
    seconds: float = 0.0


Loader = Callable[[], Iterable[Any]]
"""A user's own source: yields `(input, label)`, `(input, label, split)` or mappings with these names."""
