"""Recetas: todo lo que hace falta para entrenar una red de las que buscan Q4 y Q5, en un objeto con nombre."""

import bisect
import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from tarea4.data import Dataset
from tarea4.training import Training

BUDGET_2020 = 34_535  # parámetros de la red más pequeña de 2020 con sus dos familias: la «variante impresa» de Try 02


@dataclass(frozen=True)
class Recipe:
    """Una red y su entrenamiento: Dense-BatchNorm-activación en cada capa, con ruido, dropout y alfas opcionales."""

    hidden_sizes: Sequence[int]  # unidades de cada capa oculta
    activation: Literal["relu", "gelu", "silu", "tanh"] = "relu"
    batch_norm: bool = True  # si cada capa oculta normaliza por lotes antes de activar
    dropout: float = 0.0  # tasas de la entrada y de tras cada capa oculta, en [0, 1)
    dropout_hidden: float = 0.0
    noise: float = 0.0  # desviaciones del ruido gaussiano de la entrada y de antes de cada activación, desde 0
    noise_hidden: float = 0.0
    alpha_l1: float = 0.0  # penalizaciones de la activación de la última capa oculta, desde 0
    alpha_l2: float = 0.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.0  # de AdamW: I. Loshchilov y F. Hutter, "Decoupled weight decay regularization", ICLR 2019
    schedule: Literal["constante", "coseno"] = "constante"  # el coseno sube una época y baja después hasta 0
    batch_size: int = 128
    epochs: int = 50
    label_smoothing: float = 0.0  # en [0, 1): C. Szegedy et al., "Rethinking the Inception architecture", CVPR 2016
    epsilon: float = 0.0  # desde 0: I. Goodfellow et al., "Explaining and harnessing adversarial examples", ICLR 2015
    pool: bool = False  # si son para imágenes que se reducen antes, con `tarea4.data.pooled`
    augment: bool = False  # si cada época ve las imágenes giradas, desplazadas y escaladas al azar

    def build(self, data: Dataset) -> keras.Sequential:
        """La red, compilada para los datos dados: entrada (n, píxeles) y salida softmax (n, clases)."""
        kit, dense = keras.layers, {"use_bias": not self.batch_norm, "kernel_initializer": "he_uniform"}
        penalty = keras.regularizers.L1L2(self.alpha_l1, self.alpha_l2) if self.alpha_l1 + self.alpha_l2 else None
        penalties = [None] * (len(self.hidden_sizes) - 1) + [penalty]
        layers = [keras.Input((data.input_size,), name="input")]
        layers += [kit.Dropout(self.dropout, name="dropout")] if self.dropout else []
        layers += [kit.GaussianNoise(self.noise, name="noise")] if self.noise else []
        for i, (size, penalty) in enumerate(zip(self.hidden_sizes, penalties, strict=True), 1):
            layers.append(kit.Dense(size, **dense, name=f"dense_{i}"))
            layers += [kit.BatchNormalization(name=f"batch_normalization_{i}")] if self.batch_norm else []
            layers += [kit.GaussianNoise(self.noise_hidden, name=f"noise_{i}")] if self.noise_hidden else []
            layers.append(kit.Activation(self.activation, activity_regularizer=penalty, name=f"activation_{i}"))
            layers += [kit.Dropout(self.dropout_hidden, name=f"dropout_{i}")] if self.dropout_hidden else []
        layers.append(kit.Dense(data.n_classes, activation="softmax", name="output"))
        own = {"epsilon": self.epsilon, "label_smoothing": self.label_smoothing}
        kind = functools.partial(Classifier, **own) if any(own.values()) else keras.Sequential
        model = kind(layers, name="classifier")  # con nombres fijos, dos iguales comparten lo compilado
        rate, steps = self.learning_rate, math.ceil(len(data.x_train) / self.batch_size)
        if self.schedule == "coseno":
            decay = {"initial_learning_rate": 0.0, "decay_steps": max(1, (self.epochs - 1) * steps)}
            rate = keras.optimizers.schedules.CosineDecay(**decay, warmup_target=rate, warmup_steps=steps)
        optimizer = keras.optimizers.AdamW(rate, weight_decay=self.weight_decay, name="adamw")
        model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
        return model

    def training(self, data: Dataset, **options) -> Training:
        """El entrenamiento de la red con los datos dados; admite las demás opciones de `tarea4.training.Training`."""
        augment = functools.partial(affine, image_shape=data.image_shape) if self.augment else None
        return Training(self.build(data), epochs=self.epochs, batch_size=self.batch_size, augment=augment, **options)


@keras.saving.register_keras_serializable("tarea4")
class Classifier(keras.Sequential):
    """Red secuencial que puede entrenar con etiquetas suavizadas y, además, con imágenes perturbadas contra ella."""

    def __init__(self, layers=None, *, epsilon: float = 0.0, label_smoothing: float = 0.0, **kwargs):
        super().__init__(layers, **kwargs)
        self.epsilon, self.label_smoothing = epsilon, label_smoothing

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon, "label_smoothing": self.label_smoothing}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        model = super().from_config(config, custom_objects)
        model.epsilon, model.label_smoothing = config["epsilon"], config["label_smoothing"]
        return model

    def train_step(self, data):
        x, y = data
        y = y * (1 - self.label_smoothing) + self.label_smoothing / y.shape[1]
        if not self.epsilon:
            return super().train_step((x, y))
        # La media de los gradientes de la imagen limpia y de la perturbada; BatchNorm se queda lo que vio de la limpia.
        weights = [variable.value for variable in self.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=outputs)
        *gradients, towards = tape.gradient(loss, [*weights, x])
        statistics = [variable.value + 0.0 for variable in self.non_trainable_variables]
        with tf.GradientTape() as tape:
            perturbed = tf.clip_by_value(x + self.epsilon * tf.sign(towards), 0, 1)
            other = self.compute_loss(x=x, y=y, y_pred=self(perturbed, training=True))
        others = tape.gradient(other, weights)
        for variable, value in zip(self.non_trainable_variables, statistics, strict=True):
            variable.assign(value)
        self.optimizer.apply([(a + b) / 2 for a, b in zip(gradients, others, strict=True)], self.trainable_variables)
        tracker = next(metric for metric in self.metrics if metric.name == "loss")
        tracker.update_state(loss, sample_weight=tf.shape(x)[0])  # `compute_metrics` la da por anotada
        return self.compute_metrics(x, y, outputs)


def affine(images: tf.Tensor, rng: np.random.Generator, image_shape: tuple[int, int]) -> tf.Tensor:
    """Imágenes (n, píxeles) giradas hasta 12 grados, movidas hasta 2 píxeles, escaladas un 12 % y algo inclinadas."""
    height, width = image_shape
    turn, shear, zoom_x, zoom_y, dx, dy = rng.uniform(-1, 1, (6, len(images)))
    turn, shear = np.deg2rad(12) * turn, 0.15 * shear
    cos, sin, zoom_x, zoom_y = np.cos(turn), np.sin(turn), 1 + 0.12 * zoom_x, 1 + 0.12 * zoom_y
    a, b, d, e = cos * zoom_x, (shear * cos - sin) * zoom_y, sin * zoom_x, (shear * sin + cos) * zoom_y
    x, y = (width - 1) / 2, (height - 1) / 2  # el centro, que solo se mueve dos píxeles
    c, f = x - a * x - b * y + 2 * dx, y - d * x - e * y + 2 * dy
    transforms = np.stack([a, b, c, d, e, f, np.zeros_like(a), np.zeros_like(a)], axis=1).astype("float32")
    moved = keras.ops.image.affine_transform(tf.reshape(images, (-1, height, width, 1)), transforms)
    return tf.reshape(moved, images.shape)


def layer_sizes(width: int, ratios: Sequence[float]) -> list[int]:
    """Unidades de cada capa oculta, en las proporciones dadas de `width`, una o más."""
    return [max(1, round(width * ratio)) for ratio in ratios]


def widest(ratios: Sequence[float], budget: int, *, input_size: int = 784, n_classes: int = 10) -> int:
    """El mayor `width` con que la red de capas `layer_sizes(width, ratios)` no pasa de `budget` parámetros."""

    def parameters(width: int) -> int:
        widths = [input_size, *layer_sizes(width, ratios), n_classes]  # con normalización: 4 números por unidad
        return sum(a * b for a, b in itertools.pairwise(widths)) + 4 * sum(widths[1:-1]) + n_classes

    return max(1, bisect.bisect_right(range(budget), budget, key=parameters) - 1)
