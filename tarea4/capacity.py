"""Cuánta memoria piden una red y su entrenamiento: sin decirlo antes, el sistema mata el proceso y no explica nada."""

import itertools
from collections.abc import Sequence

import keras
import psutil

NUMBER = 4  # bytes de un float32


def check_network(widths: Sequence[int]) -> None:
    """Comprueba que cabe una red densa con esas anchuras, de la entrada a la salida.

    Raises
    ------
    MemoryError
        Si construirla pide más memoria de la que hay libre: los pesos, y tres veces más mientras Keras los sortea.
    """
    n_parameters = sum((a + 1) * b for a, b in itertools.pairwise(widths))
    _check(4 * NUMBER * n_parameters, f"hidden_sizes: una red con {n_parameters} parámetros", "capas menores")


def check_training(model: keras.Sequential, *, n_images: int, batch_size: int, n_seeds: int, n_engines: int) -> None:
    """Comprueba que cabe entrenar una red con varias semillas, `n_engines` de ellas a la vez.

    Parameters
    ----------
    model : keras.Sequential
        Red de capas densas.
    n_images, batch_size, n_seeds, n_engines : int
        Imágenes de entrenamiento, imágenes por lote, semillas y semillas que entrenan a la vez.

    Raises
    ------
    MemoryError
        Si hace falta más memoria de la que hay libre.
    """
    dense = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    widths, n_parameters = [model.input_shape[-1], *dense], model.count_params()
    # En veces los pesos: 4, el molde; por semilla 3, la copia y los dos momentos de su Adam; por motor 10: pesos,
    # gradiente, dos momentos, sus dos valores iniciales, los mejores pesos y lo que XLA copia de pesos y momentos.
    weights = (4 + 3 * n_seeds + 10 * n_engines) * n_parameters
    # Por motor, lo mayor de un paso (la entrada de un lote y, por capa, la activación, su gradiente y media copia más)
    # y de la evaluación de todas las imágenes, que solo guarda dos capas seguidas. Lo medido, con 1-8 semillas, redes
    # de 1 a 20 millones de parámetros y lotes de 100 a 50 000 imágenes, va del 89 al 105 % de lo calculado.
    step = min(batch_size, n_images) * (widths[0] + 2.5 * sum(widths[1:]))
    evaluation = n_images * max(a + b for a, b in itertools.pairwise([*widths[1:], 0]))
    numbers = weights + n_engines * max(step, evaluation) + n_images * widths[0]
    what = f"Entrenar una red de {n_parameters} parámetros con {n_seeds} semillas y lotes de {batch_size} imágenes"
    _check(NUMBER * numbers, what, "capas menores, menos semillas o lotes menores")


def _check(n_bytes: int, what: str, remedy: str) -> None:
    free = psutil.virtual_memory().available
    if n_bytes > free:
        needed, free = (f"{value / 2**30:.1f}".replace(".", ",") for value in (n_bytes, free))
        raise MemoryError(f"{what} pide unos {needed} GiB de memoria y hay {free} libres: hacen falta {remedy}.")
