"""The recipe's optimizer: one of Keras' own, with a running average of the weights that starts well, and L1 decay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from records.trial import Recipe

UNDECAYED = ("bias", "gamma", "beta", "scale", "embeddings")
"""Names of the weights that are not decayed: biases, norms and other vectors."""
LAG = 9.0
"""The running average covers at most a tenth or so of the steps that were taken."""


class _Extras(keras.optimizers.Optimizer):
    """What the recipe asks of every optimizer beyond what Keras has. Stands before one of Keras' own.

    Both methods are Keras' hooks within its step, so that they are compiled with it on every backend.
    """

    l1_decay = 0.0

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        """Decoupled L1: weights come nearer to 0 by `learning_rate * l1_decay`, and stop there.

        The proximal step of Parikh & Boyd (2014, section 6.5.2). As a term of the loss its gradient would be divided
        by an adaptive optimizer's averages like any other, so that each weight had a penalty of its own: the reason
        for which L2 is decoupled as well (Loshchilov & Hutter 2019).
        """
        super()._apply_weight_decay(variables)
        if not self.l1_decay:
            return
        for variable in variables:
            if self._use_weight_decay(variable):
                size = ops.cast(self.learning_rate, variable.dtype) * self.l1_decay
                variable.assign(ops.sign(variable) * ops.maximum(ops.abs(variable) - size, 0.0))

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[Any]) -> None:
        """The average covers a tenth of the steps so far at most: Keras' own would hold the first weights for long."""
        done = ops.cast(self.iterations, "float32")
        decay = ops.minimum(done / (done + LAG), self.ema_momentum)
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            share = ops.cast(1.0 - decay, variable.dtype)
            average.assign(average + share * (ops.convert_to_tensor(variable) - average))


class AdamW(_Extras, keras.optimizers.AdamW):
    """Loshchilov & Hutter 2019."""


class SGD(_Extras, keras.optimizers.SGD):
    """With Nesterov's momentum (Sutskever 2013)."""


class Lion(_Extras, keras.optimizers.Lion):
    """The sign of a momentum (Chen 2023)."""


class Muon(_Extras, keras.optimizers.Muon):
    """Orthogonal steps for matrices (Jordan 2024, Liu 2025), AdamW for all else."""


def make_optimizer(recipe: Recipe, last_layer: str = "") -> keras.optimizers.Optimizer:
    """The recipe's optimizer.

    Args:
        recipe: Names it, and gives its decay, clipping and averaging.
        last_layer: Its weights are no map from features to features, and so nothing for Muon; part of their path.

    Raises:
        ValueError: An unknown one.
    """
    rate, decay = recipe.learning_rate, recipe.weight_decay
    clip = recipe.clip_norm or None
    ema = bool(recipe.ema_decay)
    average = recipe.ema_decay or 0.99
    optimizer: AdamW | SGD | Lion | Muon
    if recipe.optimizer == "adamw":
        optimizer = AdamW(rate, weight_decay=decay, global_clipnorm=clip, use_ema=ema, ema_momentum=average)
    elif recipe.optimizer == "sgd":
        optimizer = SGD(
            rate,
            momentum=0.9,
            nesterov=True,
            weight_decay=decay,
            global_clipnorm=clip,
            use_ema=ema,
            ema_momentum=average,
        )
    elif recipe.optimizer == "lion":
        optimizer = Lion(rate, weight_decay=decay, global_clipnorm=clip, use_ema=ema, ema_momentum=average)
    elif recipe.optimizer == "muon":
        optimizer = Muon(
            rate,
            weight_decay=decay,
            adam_weight_decay=decay,
            global_clipnorm=clip,
            use_ema=ema,
            ema_momentum=average,
            exclude_layers=[last_layer] if last_layer else [],
        )
    else:
        raise ValueError(f"`optimizer` must be adamw, sgd, lion or muon. Received: {recipe.optimizer!r}.")
    optimizer.l1_decay = recipe.l1_decay
    optimizer.exclude_from_weight_decay(var_names=list(UNDECAYED))
    return optimizer


def averages(optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """The running averages of the trainable weights, in their order; none where none are kept."""
    return list(optimizer._model_variables_moving_average) if optimizer.use_ema else []
