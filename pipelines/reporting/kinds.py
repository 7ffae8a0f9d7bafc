"""What examples of each kind are called, what a model of them takes and gives, and what its figures do not say."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.reporting.wording import clean, plural
from records.bundle import Manifest
from records.spec import ColumnKind, DataSpec, InputKind


@dataclass(frozen=True, kw_only=True)
class KindWords:
    """How one kind of input is spoken of."""

    one: str
    several: str
    floor: str
    """What the floor baseline is."""
    elsewhere: str
    """What may differ in other data of the kind."""
    ask: tuple[str, str]
    """The command that asks a model, after its name: what it does, and its arguments."""


WORDS: dict[str, KindWords] = {
    InputKind.IMAGE: KindWords(
        one="image",
        several="images",
        floor="a linear model on small pixels",
        elsewhere="another camera, place, season",
        ask=("Ask it about a picture", "picture.jpg"),
    ),
    InputKind.TEXT: KindWords(
        one="text",
        several="texts",
        floor="a linear model on the words of a text",
        elsewhere="another author, subject, time",
        ask=("Ask it about the texts of a file", "texts.csv --out answers.csv"),
    ),
    InputKind.SERIES: KindWords(
        one="series",
        several="series",
        floor="a linear model on the means of eight parts of each channel",
        elsewhere="another sensor, place, time",
        ask=("Ask it about the series of a file", "series.csv --out answers.csv"),
    ),
    InputKind.TABLE: KindWords(
        one="row",
        several="rows",
        floor="a linear model on the columns",
        elsewhere="another time, place, way of collecting",
        ask=("Ask it about the rows of a file", "rows.csv --out answers.csv"),
    ),
    InputKind.FORECAST: KindWords(
        one="series",
        several="series",
        floor="the values of one season before, repeated",
        elsewhere="another place, another time",
        ask=("Let it go on from the end of a file", "history.csv --out forecast.csv"),
    ),
}
FEW = 20
"""Test examples of a class, or groups of them, below which an interval says little, however narrow it looks."""
EXAMPLE = KindWords(one="example", several="examples", floor="", elsewhere="", ask=("Ask it", "FILE"))


def words(kind: str) -> KindWords:
    """Those of a kind; plain ones for a kind that is not known."""
    return WORDS.get(kind, EXAMPLE)


def floor_words(kind: str) -> str:
    """The floor baseline, and what it is where the kind is known."""
    floor = words(kind).floor
    return f"the floor baseline, {floor}" if floor else "the floor baseline"


def next_commands(name: str, kind: str) -> tuple[tuple[str, str], ...]:
    """What a person would type next: what it does, and the command."""
    what, arguments = words(kind).ask
    return (
        ("Serve it over HTTP", f"kerasmith serve {name}"),
        (what, f"kerasmith predict {name} {arguments}"),
        ("See what was tried", "kerasmith runs"),
    )


def input_sentence(spec: DataSpec) -> str:
    """What its inputs are, once the codec has read them."""
    if spec.kind is InputKind.IMAGE:
        height, width, channels = spec.input_shape
        colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
        return f"images of {width} × {height} pixels, {colour}"
    if spec.kind is InputKind.TEXT:
        return f"texts of up to {plural(spec.input_shape[0], 'token')}"
    if spec.kind is InputKind.SERIES:
        return f"series of up to {plural(spec.input_shape[0], 'step')}, {plural(spec.input_shape[1] - 1, 'channel')}"
    if spec.kind is InputKind.TABLE:
        return f"rows of {plural(len(spec.table.slots), 'column')}"
    return f"series of which the last {plural(spec.forecast.history, 'step')} are seen"


def subject(manifest: Manifest, spec: DataSpec) -> str:
    """One sentence: what kind of model it is, what it takes and what it gives."""
    target = clean(spec.target)
    of = f" of {target}" if target else ""
    if manifest.labels:
        classes = plural(len(manifest.labels), "class", "classes")
        return f"A {manifest.task} model for {input_sentence(spec)}, with {classes}{of}."
    if spec.kind is InputKind.FORECAST:
        return f"A forecasting model{of}: {plural(spec.forecast.horizon, 'step')} ahead, for {input_sentence(spec)}."
    return f"A {manifest.task} model for {input_sentence(spec)}. It gives {target or 'a number'}."


def purpose(spec: DataSpec, source_name: str) -> str:
    """What it is for, before the names of its classes."""
    like = f"{words(spec.kind).several} like those of {clean(source_name)}"
    if spec.labels:
        return f"To sort {like} into these classes"
    if spec.kind is InputKind.FORECAST:
        steps = plural(spec.forecast.horizon, "step")
        return f"To forecast {clean(spec.target) or 'the values'} {steps} ahead, for {like}"
    return f"To estimate {clean(spec.target) or 'a number'} for {like}"


def nothing_found(spec: DataSpec) -> str:
    """Said where the data gave no finding."""
    if spec.kind is InputKind.IMAGE:
        return "Nothing to note: no unreadable or giant files, no duplicates, no imbalance."
    return "Nothing to note."


def limitations(manifest: Manifest, spec: DataSpec, source_name: str) -> list[str]:
    """What a reader must not conclude from the figures."""
    own = words(spec.kind)
    told = [
        f"The figures hold for data like {clean(source_name)}. {own.several.capitalize()} from elsewhere "
        f"({own.elsewhere}) can be answered worse, and nothing here measures how much.",
        _always_answers(spec),
        *_sees(spec),
        "The intervals cover the choice of test examples. They do not cover another seed, another split, "
        + ("or labels that are wrong." if spec.labels else "or true values that are wrong."),
    ]
    return [*told, *_clusters(manifest), *_few_examples(manifest)]


def _always_answers(spec: DataSpec) -> str:
    one = words(spec.kind).one
    if spec.labels:
        return (
            f"It knows {plural(spec.num_classes, 'class', 'classes')} and always answers with one of them, "
            f"also for {'an' if one == 'image' else 'a'} {one} of something else."
        )
    if spec.kind is InputKind.FORECAST:
        return (
            "It goes on as the past went: what never happened in training, it cannot foresee, and its range does not "
            "hold it."
        )
    return f"It always answers with a number, also for {one if one == 'series' else f'a {one}'} unlike any of training."


def _sees(spec: DataSpec) -> list[str]:
    first = f"It sees {input_sentence(spec)}"
    if spec.kind is InputKind.IMAGE:
        return [f"{first}: what is lost at that size cannot be told apart."]
    if spec.kind is InputKind.TEXT:
        return [f"{first}: what stands behind them is not read."]
    if spec.kind is InputKind.SERIES:
        return [f"{first}: what comes behind them is not seen."]
    if spec.kind is InputKind.FORECAST:
        return [f"It sees the last {plural(spec.forecast.history, 'step')} of a series, and nothing before them."]
    if spec.table.of_kind(ColumnKind.CATEGORY):
        return ["A category that training did not have counts as unknown, whatever it means."]
    return []


def _clusters(manifest: Manifest) -> list[str]:
    clusters = manifest.evaluation.num_clusters
    if clusters is None:
        return []
    return [f"Test examples that are not independent were resampled together, as {plural(clusters, 'group')}."]


def _few_examples(manifest: Manifest) -> list[str]:
    few = [c.label for c in manifest.evaluation.per_class if c.support < FEW]
    if not few:
        return []
    names = ", ".join(clean(label) for label in few[:8]) + (f" and {len(few) - 8} more" if len(few) > 8 else "")
    return [
        f"Fewer than {FEW} test examples: {names}. An interval of such a class is too narrow, "
        "most of all one that is 0 or 1 without any width."
    ]
