"""What a model must fit: the arrays that it takes, and the answer that it gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class InputKind(StrEnum):
    """What one example is."""

    IMAGE = "image"
    TEXT = "text"
    SERIES = "series"
    TABLE = "table"
    FORECAST = "forecast"
    """The past of a series, of which the future is asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextLayout:
    """Texts are `<int32>[max_tokens]`: ids, and 0 after the last token. More zeros at the end change nothing."""

    vocabulary: int
    """Number of ids, the 0 included."""
    tokenizer: str
    """"learnt" (from the training split), or the name of the text backbone whose own tokenizer it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesLayout:
    """Series are `<float32>[max_steps, channels + 1]`: scaled values, and a last column that is 1 where the series has
    a step and 0 after its end. More zeros at the end change nothing."""

    channels: tuple[str, ...]


class ColumnKind(StrEnum):
    """What one column of a table holds."""

    NUMBER = "number"
    CATEGORY = "category"
    DATE = "date"
    TEXT = "text"


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """Where a column of a table lies in the array: elements `start` to `stop`."""

    name: str
    kind: ColumnKind
    """NUMBER: a scaled value, and where training has missing ones a second element that is 1 if it is missing.
    CATEGORY: one element, the code as a whole number: 0 missing, 1 unknown, then the known ones.
    DATE: its parts, each a scaled value. TEXT: token ids as whole numbers, 0 after the last."""
    start: int
    stop: int
    size: int = 0
    """CATEGORY: number of codes. TEXT: size of the vocabulary."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TableLayout:
    """Rows are `<float32>[width]`; the slots cover it without a gap."""

    slots: tuple[Slot, ...]
    tokenizer: str = ""
    """Of the text columns: the name of the text backbone. Empty where there are none."""

    def of_kind(self, *kinds: ColumnKind) -> tuple[Slot, ...]:
        """The slots of these kinds, in their order."""
        return tuple(slot for slot in self.slots if slot.kind in kinds)


@dataclass(frozen=True, kw_only=True, slots=True)
class ForecastLayout:
    """Windows are `<float32>[history + horizon, features]`.

    Column 0 is the target: (value - level) / spread of the window's past, and 0 in the horizon. Then `past` columns
    that are known of the past only (0 in the horizon), then `known` columns that are known of the future too (given
    ones and parts of the calendar). The last three are no features: 1 where the target was observed; the window's
    level; the window's spread. A past that is shorter than `history` is padded at its beginning with zeros.
    """

    history: int
    horizon: int
    season: int
    """Steps after which the series is likely to repeat; 1: none."""
    quantiles: tuple[float, ...]
    """Ascending, 0.5 among them."""
    past: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def median(self) -> int:
        """Position of 0.5 among the quantiles."""
        return self.quantiles.index(0.5)


Layout = TextLayout | SeriesLayout | TableLayout | ForecastLayout


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSpec:
    """What a model must fit: the input it takes and the answer that it gives."""

    kind: InputKind
    input_shape: tuple[int, ...]
    """Without the batch axis; images: (height, width, channels), others: see the layouts."""
    dtype: str
    """Of the prepared arrays."""
    task: str = "classification"
    """A name in `records.task.TASKS`."""
    target: str = ""
    """What the answer is called, "price" for instance; empty where the data has no name for it."""
    labels: tuple[str, ...] = ()
    """Class names; the position is the class index. Empty where the answer is no class."""
    label_counts: tuple[int, ...] = ()
    """Training examples of each class."""
    num_train: int = 0
    """Training examples; taken from `label_counts` where these are given."""
    target_mean: float = 0.0
    """Of the training split's numbers; regression only."""
    target_std: float = 1.0
    layout: Layout | None = None
    """How the array is made up; `None` for images."""

    def __post_init__(self) -> None:
        if self.label_counts:
            object.__setattr__(self, "num_train", sum(self.label_counts))

    @property
    def num_classes(self) -> int:
        return len(self.labels)

    @property
    def text(self) -> TextLayout:
        """The layout of texts."""
        assert isinstance(self.layout, TextLayout)
        return self.layout

    @property
    def series(self) -> SeriesLayout:
        """The layout of series."""
        assert isinstance(self.layout, SeriesLayout)
        return self.layout

    @property
    def table(self) -> TableLayout:
        """The layout of rows."""
        assert isinstance(self.layout, TableLayout)
        return self.layout

    @property
    def forecast(self) -> ForecastLayout:
        """The layout of windows."""
        assert isinstance(self.layout, ForecastLayout)
        return self.layout
