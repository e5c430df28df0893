"""Entrena una red de Keras, con una semilla o con varias a la vez, y guarda lo que pasó en cada época."""

import functools
import json
import os
import queue
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from tqdm import TqdmWarning

from tarea4.data import Dataset
from tarea4.layers import ActivityPenalty, Keyed

with warnings.catch_warnings():  # en un cuaderno pide ipywidgets, que no hace falta
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.keras import TqdmCallback


@dataclass(frozen=True)
class Run:
    """Un entrenamiento: la red en su mejor época de validación y la historia de todas.

    Attributes
    ----------
    model : keras.Sequential
        La red con los pesos de `best_epoch`.
    seed : int
        Semilla de los pesos iniciales, del orden de las imágenes y de las máscaras de dropout.
    history : dict of str to list of float
        Por época: `loss` y `accuracy`, como las imprime Keras (media de los lotes, con dropout activo y con las
        penalizaciones en la pérdida); `train_loss`, `train_accuracy`, `val_loss` y `val_accuracy`, evaluadas al
        terminar la época, sin dropout ni penalizaciones; `l1` y `l2`, las penalizaciones por imagen de
        entrenamiento, también evaluadas; `seconds`, lo que duró.
    seconds : float
        Duración total, con la compilación si la hubo.
    """

    model: keras.Sequential
    seed: int
    history: dict[str, list[float]]
    seconds: float

    @property
    def best_epoch(self) -> int:
        """Época, contada desde 1, con la menor pérdida de validación."""
        return int(np.argmin(self.history["val_loss"])) + 1

    def best(self, metric: str) -> float:
        """Valor de una métrica de la historia en `best_epoch`."""
        return self.history[metric][self.best_epoch - 1]

    def epoch_reaching(self, max_loss: float, min_accuracy: float, prefix: str = "") -> int | None:
        """Primera época que cumple a la vez los dos umbrales, o None si ninguna los cumple.

        Parameters
        ----------
        max_loss : float
            Pérdida máxima, en nats.
        min_accuracy : float
            Exactitud mínima, entre 0 y 1.
        prefix : {"", "train_", "val_"}
            Qué métricas se miran: las que imprime Keras, las evaluadas en entrenamiento o las de validación.
        """
        pairs = zip(self.history[prefix + "loss"], self.history[prefix + "accuracy"], strict=True)
        return next((i for i, (loss, acc) in enumerate(pairs, 1) if loss <= max_loss and acc >= min_accuracy), None)


def train(model: keras.Sequential, data: Dataset, *, seed: int = 0, **options) -> Run:
    """Entrena una copia de `model` desde cero con una semilla; admite las opciones de `train_seeds`."""
    return train_seeds(model, data, [seed], **options)[0]


def train_seeds(
    model: keras.Sequential,
    data: Dataset,
    seeds: Iterable[int],
    *,
    epochs: int = 50,
    batch_size: int = 128,
    patience: int | None = None,
    train_metrics: bool = True,
    augment: Callable[[tf.Tensor, np.random.Generator], tf.Tensor] | None = None,
    callbacks: Callable[[int], list[keras.callbacks.Callback]] | None = None,
    verbose: bool | None = None,
) -> list[Run]:
    """Entrena desde cero una copia de `model` por semilla; la misma semilla da siempre el mismo resultado.

    Cada época entera es una sola función compilada con XLA que repite el `train_step` de Keras sobre lotes tomados
    por índice. Si `batch_size` no divide al número de imágenes, el último
    lote se completa con las primeras de la misma época. Las tasas de dropout y las alfas son argumentos de la función,
    así que redes que solo difieren en ellas comparten la compilación. Las semillas corren en paralelo, un hilo por
    núcleo.

    Parameters
    ----------
    model : keras.Sequential
        Red compilada que sirve de molde: no se modifica.
    data : Dataset
        Solo se usan las particiones de entrenamiento y de validación.
    seeds : iterable of int
        Una semilla por entrenamiento.
    epochs : int
        Épocas como máximo, 1 o más.
    batch_size : int
        Imágenes por lote, 1 o más; con menos imágenes que eso, el lote es el conjunto entero.
    patience : int, optional
        Épocas sin mejora de `val_loss` tras las que se detiene; sin valor, no se detiene antes.
    train_metrics : bool
        Si al terminar cada época se evalúan también todas las imágenes de entrenamiento, que es la cuarta parte del
        tiempo; sin ello, faltan en la historia `train_loss`, `train_accuracy`, `l1` y `l2`.
    augment : callable, optional
        Recibe las imágenes de entrenamiento (n, píxeles) y un generador, y devuelve las que entrenan en esa época.
    callbacks : callable, optional
        Recibe una semilla y devuelve otras llamadas de Keras para su entrenamiento; los lotes no se anuncian, las
        épocas sí.
    verbose : bool, optional
        Si muestra una barra de progreso por semilla; sin valor, solo cuando una persona mira la terminal.

    Returns
    -------
    list of Run
        En el orden de `seeds`.

    Raises
    ------
    ValueError
        Si `epochs` o `batch_size` no es positivo.
    FloatingPointError
        Si la pérdida deja de ser un número finito.

    References
    ----------
    D. P. Kingma y J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    https://keras.io/guides/custom_train_step_in_tensorflow/
    """
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{name}: se recibió {value!r} y se admite un entero de 1 en adelante.")
    seeds = list(seeds)
    batch_size = min(batch_size, len(data.x_train))
    n_threads = min(len(seeds), os.cpu_count() or 1)
    engines = queue.SimpleQueue()
    for slot in range(n_threads):
        engines.put(_engine(_structure(model), len(data.x_train), batch_size, slot))
    tensors = {split: _as_tensors(data, split) for split in ("train", "val")}
    evaluated = ["train", "val"] if train_metrics else ["val"]
    show_progress = sys.stderr.isatty() if verbose is None else verbose

    def run(copy: keras.Sequential, seed: int) -> Run:
        followers = _callbacks(seed, epochs, patience, show_progress) + (callbacks(seed) if callbacks else [])
        engine = engines.get()
        try:
            return engine.train(copy, tensors, evaluated, seed, epochs, followers, augment)
        finally:
            engines.put(engine)

    with ThreadPoolExecutor(n_threads) as pool:
        # Cada copia se hace mientras entrenan las anteriores.
        futures = [pool.submit(run, _fresh_copy(model, seed), seed) for seed in seeds]
        return [future.result() for future in futures]


class _Engine:
    """Una red de trabajo con su época compilada; sirve para muchos entrenamientos, de uno en uno."""

    def __init__(self, model: keras.Sequential, n_train: int, batch_size: int):
        self.model = model
        self.batch_shape = (-(-n_train // batch_size), batch_size)
        self.noisy = _noisy(model)
        self.penalties = _penalties(model)
        model.optimizer.build(model.trainable_variables)
        self.initial_optimizer = [tf.identity(v) for v in model.optimizer.variables]
        # Un paso crea las métricas, que son variables y no pueden nacer dentro de una función compilada.
        model.train_step((tf.zeros((1, *model.input_shape[1:])), tf.one_hot([0], model.output_shape[-1])))
        self.run_epoch = tf.function(self._run_epoch, jit_compile=True, autograph=False)
        self.evaluate = tf.function(self._evaluate, autograph=False)

    def _run_epoch(self, x, y, order, keys, strengths, alphas):
        self._set_alphas(alphas)
        for layer, strength in zip(self.noisy, strengths, strict=True):
            setattr(layer, layer.strength, strength)

        def step(i):
            for k, layer in enumerate(self.noisy):
                layer.keys = keys[i, k]
            self.model.train_step((tf.gather(x, order[i]), tf.gather(y, order[i])))
            return (i + 1,)

        tf.while_loop(lambda i: i < order.shape[0], step, (0,))

    def _evaluate(self, x, y, alphas):
        self._set_alphas(alphas)
        outputs = self.model(x, training=False)
        loss = tf.reduce_mean(keras.losses.get(self.model.loss)(y, outputs))
        hits = tf.equal(tf.argmax(outputs, axis=-1), tf.argmax(y, axis=-1))
        terms = tf.reduce_sum([penalty.terms for penalty in self.penalties], axis=0) if self.penalties else tf.zeros(2)
        return loss, tf.reduce_mean(tf.cast(hits, tf.float32)), terms / x.shape[0]

    def _set_alphas(self, alphas):
        for penalty, (l1, l2) in zip(self.penalties, alphas, strict=True):
            penalty.l1, penalty.l2 = l1, l2

    def train(self, copy, tensors, evaluated, seed, epochs, callbacks, augment) -> Run:
        start = time.perf_counter()
        rng = np.random.default_rng(seed)
        strengths = [tf.constant(float(getattr(layer, layer.strength))) for layer in _noisy(copy)]
        alphas = [(tf.constant(penalty.l1), tf.constant(penalty.l2)) for penalty in _penalties(copy)]
        self.model.set_weights(copy.get_weights())
        for variable, value in zip(self.model.optimizer.variables, self.initial_optimizer, strict=True):
            variable.assign(value)
        self.model.stop_training = False
        callbacks = keras.callbacks.CallbackList(callbacks, add_history=True, model=self.model, epochs=epochs)
        callbacks.on_train_begin()
        for epoch in range(epochs):
            callbacks.on_epoch_begin(epoch)
            logs = self._one_epoch(tensors, evaluated, rng, strengths, alphas, augment)
            callbacks.on_epoch_end(epoch, logs)
            if not np.isfinite(logs["loss"]):
                raise FloatingPointError(
                    f"La pérdida de la semilla {seed} dejó de ser un número finito en la época {epoch + 1}; "
                    "suele deberse a una tasa de aprendizaje, o a alfas, demasiado grandes."
                )
            if self.model.stop_training:
                break
        callbacks.on_train_end()
        copy.set_weights(self.model.get_weights())
        return Run(copy, seed, self.model.history.history, time.perf_counter() - start)

    def _one_epoch(self, tensors, evaluated, rng, strengths, alphas, augment) -> dict[str, float]:
        start = time.perf_counter()
        x, y = tensors["train"]
        x = augment(x, rng) if augment else x
        order = np.resize(rng.permutation(len(x)), self.batch_shape).astype("int32")
        keys = rng.integers(2**32, size=(len(order), len(self.noisy), 2), dtype="uint32")
        self.model.reset_metrics()
        self.run_epoch(x, y, order, keys, strengths, alphas)
        logs = {name: float(value) for name, value in self.model.get_metrics_result().items()}
        for split in evaluated:
            loss, accuracy, penalties = self.evaluate(*tensors[split], alphas)
            logs |= {f"{split}_loss": float(loss), f"{split}_accuracy": float(accuracy)}
            if split == "train":
                logs |= {"l1": float(penalties[0]), "l2": float(penalties[1])}
        return logs | {"seconds": time.perf_counter() - start}


@functools.lru_cache(maxsize=16)
def _engine(structure: str, n_train: int, batch_size: int, slot: int) -> _Engine:
    return _Engine(keras.saving.deserialize_keras_object(json.loads(structure)), n_train, batch_size)


def _structure(model: keras.Sequential) -> str:
    """La red en JSON sin lo que la función compilada recibe como argumento: la clave para compartirla."""

    def blank(node):
        if isinstance(node, dict):
            return {k: 0.0 if k in {"rate", "stddev", "l1", "l2"} else blank(v) for k, v in node.items()}
        return [blank(v) for v in node] if isinstance(node, list | tuple) else node

    return json.dumps(blank(keras.saving.serialize_keras_object(model)))


def _fresh_copy(model: keras.Sequential, seed: int) -> keras.Sequential:
    keras.utils.set_random_seed(seed)
    return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))


def _noisy(model: keras.Sequential) -> list[Keyed]:
    return [layer for layer in model.layers if isinstance(layer, Keyed)]


def _penalties(model: keras.Sequential) -> list[ActivityPenalty]:
    regularizers = [getattr(layer, "activity_regularizer", None) for layer in model.layers]
    return [regularizer for regularizer in regularizers if isinstance(regularizer, ActivityPenalty)]


def _as_tensors(data: Dataset, split: str) -> tuple[tf.Tensor, tf.Tensor]:
    labels = tf.one_hot(getattr(data, f"y_{split}"), data.n_classes)
    return tf.constant(getattr(data, f"x_{split}")), labels


def _callbacks(seed: int, epochs: int, patience: int | None, show_progress: bool) -> list[keras.callbacks.Callback]:
    best = keras.callbacks.EarlyStopping("val_loss", patience=patience or epochs, restore_best_weights=True)
    bar = [TqdmCallback(epochs=epochs, desc=f"semilla {seed}", verbose=0)] if show_progress else []
    return [best, *bar]
