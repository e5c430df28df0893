"""Entrena redes de Keras, con una semilla o con varias, y guarda lo que pasó en cada época."""

import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import joblib
import keras
import numpy as np
import tensorflow as tf
from tqdm.keras import TqdmCallback

from tarea4.data import Dataset
from tarea4.engine.epoch import compiled
from tarea4.engine.memory import remember

# Los sentidos de una métrica, por el prefijo que llevan en `Run.history`.
SENSES = {"": "entrenamiento, corriente", "train_": "entrenamiento, evaluada", "val_": "validación"}


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
        """Primera época con pérdida (nats) y exactitud (entre 0 y 1) dentro de los umbrales, o None.

        `prefix`, una clave de `SENSES`, dice qué métricas se miran.
        """
        pairs = zip(self.history[prefix + "loss"], self.history[prefix + "accuracy"], strict=True)
        return next((i for i, (loss, acc) in enumerate(pairs, 1) if loss <= max_loss and acc >= min_accuracy), None)


@dataclass(frozen=True)
class Training:
    """Qué se entrena y cómo: un molde y las opciones de su entrenamiento.

    Attributes
    ----------
    model : keras.Sequential
        Red compilada que sirve de molde: no se modifica.
    epochs, batch_size : int
        Épocas e imágenes por lote, 1 o más; con menos imágenes que eso, el lote es el conjunto entero.
    train_metrics : bool
        Si al terminar cada época se evalúan también todas las imágenes de entrenamiento, que es la cuarta parte del
        tiempo; sin ello, faltan en la historia `train_loss`, `train_accuracy`, `l1` y `l2`.
    augment : callable, optional
        Recibe las imágenes de entrenamiento (n, píxeles) y un generador, y devuelve las que entrenan en esa época.
    callbacks : callable, optional
        Recibe una semilla y devuelve llamadas de Keras para su entrenamiento, que se enteran de las épocas, no de los
        lotes; si una pone ``model.stop_training``, el entrenamiento acaba.
    verbose : bool, optional
        Si muestra una barra de progreso por semilla; sin valor, solo cuando una persona mira la terminal.

    Raises
    ------
    ValueError
        Si `model` no está compilada, o `epochs` o `batch_size` no es positivo.
    """

    model: keras.Sequential
    epochs: int = 50
    batch_size: int = 128
    train_metrics: bool = True
    augment: Callable[[tf.Tensor, np.random.Generator], tf.Tensor] | None = None
    callbacks: Callable[[int], list[keras.callbacks.Callback]] | None = None
    verbose: bool | None = None

    def __post_init__(self):
        if not self.model.compiled:
            raise ValueError(f"model: se recibió {self.model.name!r}, sin compilar, y se admite una red compilada.")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: se recibió {getattr(self, name)!r} y se admite un entero de 1 en adelante.")


def train(model: keras.Sequential, data: Dataset, *, seed: int = 0, **options) -> Run:
    """Entrena una copia de `model` desde cero con una semilla; admite las opciones de `Training`."""
    return train_seeds(model, data, [seed], **options)[0]


def train_seeds(model: keras.Sequential, data: Dataset, seeds: Iterable[int], **options) -> list[Run]:
    """Entrena desde cero una copia de `model` por semilla, en su orden; admite las opciones de `Training`."""
    return train_all({"": Training(model, **options)}, data, seeds)[""]


def train_all(trainings: Mapping[str, Training], data: Dataset, seeds: Iterable[int]) -> dict[str, list[Run]]:
    """Entrena desde cero una copia de cada red por semilla; la misma semilla da siempre el mismo resultado.

    Repite el `train_step` de Keras sobre lotes tomados por índice, en otro orden cada época; si el lote no divide al
    número de imágenes, el último se completa con las primeras de la misma época. De `data` usa entrenamiento y
    validación, y reparte los entrenamientos entre un hilo por núcleo. Lo que ya se entrenó igual en esta máquina se
    recuerda (`tarea4.engine.memory`), salvo con `augment` o `callbacks`. Devuelve, por nombre, una `Run` por semilla.

    Raises
    ------
    ValueError
        Si no hay semillas, o una red tiene algo que la función compilada no sabe entrenar como `fit`.
    FloatingPointError
        Si la pérdida deja de ser un número finito.

    References
    ----------
    D. P. Kingma y J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    https://keras.io/guides/custom_train_step_in_tensorflow/
    """
    seeds = list(seeds)
    if not seeds:
        raise ValueError("seeds: se recibió una lista vacía y se admite una semilla o más.")
    jobs = [(name, seed) for name in trainings for seed in seeds]
    n_threads = min(len(jobs), joblib.cpu_count())  # los que este proceso puede usar, no los de la máquina
    tensors = {
        "train": (tf.constant(data.x_train), tf.one_hot(data.y_train, data.n_classes)),
        "val": (tf.constant(data.x_val), tf.one_hot(data.y_val, data.n_classes)),
    }
    with ThreadPoolExecutor(n_threads) as pool:
        # Si uno falla, los que no han empezado ya no empiezan.
        done = pool.map(lambda job: _train(trainings[job[0]], *job, data, tensors), jobs)
        runs = dict(zip(jobs, done, strict=True))
    return {name: [runs[name, seed] for seed in seeds] for name in trainings}


_BUILDING = threading.Lock()  # los pesos iniciales salen de un estado al azar común a todos los hilos


def _train(training: Training, name: str, seed: int, data: Dataset, tensors: dict[str, tuple]) -> Run:
    start = time.perf_counter()
    with _BUILDING:
        # De `random` toma Keras las semillas de los pesos. `set_random_seed` da los mismos, pero además vacía la caché
        # de operaciones de TensorFlow, que cuesta más que construir la red.
        random.seed(seed)
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(training.model))

    def compute() -> tuple[list[np.ndarray], dict]:
        label = f"semilla {seed}" + (f" de {name}" if name else "")
        with _BUILDING:
            engine = compiled(training.model, len(data.x_train), training.batch_size)
        history = engine.train(
            copy, tensors, seed, label,
            epochs=training.epochs, evaluated=["train", "val"] if training.train_metrics else ["val"],
            callbacks=_callbacks(training, seed, label), augment=training.augment,
        )  # fmt: skip
        return copy.get_weights(), {"history": history, "seconds": time.perf_counter() - start}

    if training.augment or training.callbacks:  # lo que hacen las funciones que se reciben no se puede resumir
        weights, notes = compute()
    else:
        parts = {"data": data.digest, "seed": seed, "epochs": training.epochs, "batch_size": training.batch_size}
        weights, notes = remember(training.model, parts, compute, richer=training.train_metrics)
        copy.set_weights(weights)
    return Run(copy, seed, **notes)


def _callbacks(training: Training, seed: int, label: str) -> list[keras.callbacks.Callback]:
    # Con tanta paciencia no detiene nada: está para quedarse con los pesos de la mejor época.
    best = keras.callbacks.EarlyStopping("val_loss", patience=training.epochs, restore_best_weights=True)
    watched = sys.stderr.isatty() if training.verbose is None else training.verbose
    bar = [TqdmCallback(epochs=training.epochs, desc=label, verbose=0)] if watched else []
    return [best, *bar, *(training.callbacks(seed) if training.callbacks else [])]
