"""Entrena una red de Keras, con una semilla o con varias a la vez, y guarda lo que pasó en cada época."""

import os
import queue
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from tqdm.keras import TqdmCallback

from tarea4 import memory
from tarea4.capacity import check_training
from tarea4.data import Dataset
from tarea4.engine import as_tensors, engines


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
    por índice. Si `batch_size` no divide al número de imágenes, el último lote se completa con las primeras de la
    misma época. Las tasas de dropout y las alfas son argumentos de la función, así que redes que solo difieren en ellas
    comparten la compilación. Las semillas corren en paralelo, un hilo por núcleo. Lo que ya se entrenó igual en esta
    máquina no se entrena otra vez (`tarea4.memory`), salvo con `augment` o `callbacks`.

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
    MemoryError
        Si no cabe en la memoria libre.

    References
    ----------
    D. P. Kingma y J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    https://keras.io/guides/custom_train_step_in_tensorflow/
    """
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{name}: se recibió {value!r} y se admite un entero de 1 en adelante.")
    seeds = list(seeds)
    decisive = {"epochs": epochs, "batch_size": batch_size, "patience": patience, "train_metrics": train_metrics}
    # Lo que hacen las funciones que se reciben no se puede resumir en una clave.
    keys = {} if augment or callbacks else {seed: memory.key(model, data, seed, decisive) for seed in seeds}
    runs = {seed: _recalled(model, seed, key) for seed, key in keys.items()}
    missing = [seed for seed in seeds if not runs.get(seed)]
    if not missing:
        return [runs[seed] for seed in seeds]

    n_threads = min(len(missing), os.cpu_count() or 1)
    check_training(model, n_images=len(data.x_train), batch_size=batch_size, n_seeds=len(missing), n_engines=n_threads)
    free = queue.SimpleQueue()
    for engine in engines(model, len(data.x_train), min(batch_size, len(data.x_train)), n_threads):
        free.put(engine)
    tensors = {split: as_tensors(data, split) for split in ("train", "val")}
    evaluated = ["train", "val"] if train_metrics else ["val"]
    show_progress = sys.stderr.isatty() if verbose is None else verbose

    def run(copy: keras.Sequential, seed: int) -> Run:
        followers = _callbacks(seed, epochs, patience, show_progress) + (callbacks(seed) if callbacks else [])
        engine, start = free.get(), time.perf_counter()
        try:
            history = engine.train(
                copy, tensors, seed, epochs=epochs, evaluated=evaluated, callbacks=followers, augment=augment
            )
        finally:
            free.put(engine)
        seconds = time.perf_counter() - start
        if seed in keys:
            memory.keep(keys[seed], copy.get_weights(), {"history": history, "seconds": seconds})
        return Run(copy, seed, history, seconds)

    with ThreadPoolExecutor(n_threads) as pool:
        # Cada copia se hace mientras entrenan las anteriores.
        futures = {seed: pool.submit(run, _fresh_copy(model, seed), seed) for seed in missing}
        runs |= {seed: future.result() for seed, future in futures.items()}
    return [runs[seed] for seed in seeds]


def _recalled(model: keras.Sequential, seed: int, key: str) -> Run | None:
    if not (kept := memory.recall(key)):
        return None
    weights, notes = kept
    copy = _fresh_copy(model, seed)
    copy.set_weights(weights)
    return Run(copy, seed, **notes)


def _fresh_copy(model: keras.Sequential, seed: int) -> keras.Sequential:
    keras.utils.set_random_seed(seed)
    return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))


def _callbacks(seed: int, epochs: int, patience: int | None, show_progress: bool) -> list[keras.callbacks.Callback]:
    best = keras.callbacks.EarlyStopping("val_loss", patience=patience or epochs, restore_best_weights=True)
    bar = [TqdmCallback(epochs=epochs, desc=f"semilla {seed}", verbose=0)] if show_progress else []
    return [best, *bar]
