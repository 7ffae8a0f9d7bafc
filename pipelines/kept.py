"""What is kept for the next trial: the compiled graph, since most of a short training is compiling, and the encoder."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import keras

from pipelines.graph import Graph, alike, copies
from pipelines.pace import Pace
from records.data import DataSpec, Prepared
from records.task import Task
from records.trial import Recipe
from search_spaces import recipes
from search_spaces.space import Space


@dataclass(frozen=True, kw_only=True)
class GraphKey:
    """All that a compiled graph holds as constants. Two trials with equal keys differ in seed and learning rate only.

    A changed dropout rate or weight decay would change nothing on a graph that is compiled already, and nobody would
    be told: so whatever is not known to be a variable stands in the key.
    """

    space: Space
    values: str
    """What the network is built from, as JSON."""
    recipe: Recipe
    """With the learning rate and the seed left out."""
    spec: DataSpec
    task: Task
    pace: Pace
    dtypes: tuple[str, str, str]
    """Of the inputs, of Keras' numbers, and the policy of its layers."""

    @property
    def name(self) -> str:
        """For measurements that outlive the process, those of paces among them: equal names, equally long steps."""
        told = [
            self.space.name,
            self.values,
            self.recipe.batch_size,
            self.recipe.optimizer,
            repr(self.spec),
            self.dtypes,
        ]
        return f"{self.space.name} {hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]}"


def graph_key(
    space: Space, read_values: dict[str, Any], recipe: Recipe, prepared: Prepared, task: Task, pace: Pace
) -> GraphKey:
    """The key of the graph that a trial needs.

    Args:
        space: Of the trial.
        read_values: What `space.build` is given.
        recipe: What the trial is trained with.
        prepared: The data.
        task: What is learnt.
        pace: How the steps are compiled.
    """
    # only of the usual recipe it is known that the learning rate goes nowhere else
    usual = space.recipe is recipes.recipe
    built_from = {name: value for name, value in read_values.items() if not (usual and name == "learning_rate")}
    return GraphKey(
        space=space,
        values=json.dumps(built_from, sort_keys=True, default=repr),
        recipe=dataclasses.replace(recipe, seed=0, learning_rate=0.0) if usual else dataclasses.replace(recipe, seed=0),
        spec=prepared.spec,
        task=task,
        pace=pace,
        dtypes=(str(prepared.inputs.dtype), keras.config.floatx(), keras.config.dtype_policy().name),
    )


class KeptGraph:
    """The graph of the last trial. One only: a graph holds a network, its optimizer and what was compiled for them."""

    def __init__(self) -> None:
        self._key: GraphKey | None = None
        self._graph: Graph | None = None

    def make_room(self, key: GraphKey) -> None:
        """To be called before a trial's network is built: frees what is kept, and all that Keras holds, where the trial
        needs another graph."""
        if self._graph is None or self._key != key:
            self.forget()
            keras.utils.clear_session()
            # What is alive now stays so: the libraries' 400,000 objects, and some of each graph, which TensorFlow never
            # frees. To look through them again before each trial took 0.4 s and more.
            gc.freeze()

    def open(self, key: GraphKey, model: keras.Model, make: Callable[[], Graph]) -> tuple[Graph, bool]:
        """The graph for a trial, at the start of its training, and whether it was kept from an earlier one.

        Args:
            key: The trial's.
            model: Its network as it was just built. A kept graph takes the values of its variables.
            make: Gives a new graph of `model`.
        """
        if self._graph is not None and self._key == key and self._graph.used:
            fresh = copies(model.variables)
            if alike(self._graph.model.variables, fresh):
                self._graph.restart(fresh)
                return self._graph, True
        self._key, self._graph = key, make()
        return self._graph, False

    def forget(self) -> None:
        """Lets go of it: a training that ended badly may have left anything there."""
        self._key = self._graph = None


class KeptEncoder:
    """The encoder of the last trial: loading a backbone's weights takes seconds, and most trials ask for the same."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._encoder: keras.Model | None = None

    def get(self, key: Hashable, make: Callable[[], keras.Model]) -> keras.Model:
        """What `make` gave for an equal key, or gives now.

        Args:
            key: Equal keys, equal encoders.
            make: Builds a frozen network.
        """
        if self._encoder is None or self._key != key:
            self._key = self._encoder = None  # two at a time may be too large
            gc.unfreeze()
            self._encoder = make()
            self._key = key
        return self._encoder
