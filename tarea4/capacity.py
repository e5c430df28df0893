"""Cuánta memoria piden una red y su entrenamiento: sin decirlo antes, el sistema mata el proceso y no explica nada."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import psutil

NUMBER = 4  # bytes de un float32
CGROUP = Path("/sys/fs/cgroup")  # el del contenedor en que se corre, si lo hay


def check_network(widths: Sequence[int]) -> None:
    """Comprueba que cabe una red densa con esas anchuras, de la entrada a la salida.

    Raises
    ------
    MemoryError
        Si construirla pide más memoria de la que hay libre: los pesos, y tres veces más mientras Keras los sortea.
    """
    n_parameters = sum((a + 1) * b for a, b in itertools.pairwise(widths))
    _check(4 * NUMBER * n_parameters, f"hidden_sizes: una red con {n_parameters} parámetros", "capas menores")


def check_training(
    trainings: Iterable[tuple[keras.Sequential, int, int]], *, n_images: int, n_evaluated: int, n_threads: int
) -> None:
    """Comprueba que caben todos los entrenamientos de una tanda, `n_threads` de ellos a la vez.

    Lo medido, con 1-8 semillas, redes de 1 a 19 millones de parámetros y lotes de 128 a 50 000 imágenes, va del 63 al
    98 % de lo que calcula.

    Parameters
    ----------
    trainings : iterable of (keras.Sequential, int, int)
        Cada red, de capas densas, con las imágenes de su lote y sus semillas; una o más.
    n_images, n_evaluated, n_threads : int
        Imágenes de entrenamiento, las que se evalúan juntas tras cada época y entrenamientos a la vez.

    Raises
    ------
    MemoryError
        Si hace falta más memoria de la que hay libre.
    """
    trainings = list(trainings)
    # En veces los pesos: 5, el molde y la red que se compila; por semilla 3, la copia y los dos momentos de su Adam.
    kept = sum((5 + 3 * n_seeds) * model.count_params() for model, _, n_seeds in trainings)
    working = max(_working(model, min(batch_size, n_images), n_evaluated) for model, batch_size, _ in trainings)
    numbers = kept + n_threads * working + n_images * trainings[0][0].input_shape[-1]
    n_parameters, batch_size, n_seeds = map(max, zip(*((m.count_params(), b, n) for m, b, n in trainings), strict=True))
    networks = "una red de" if len(trainings) == 1 else f"{len(trainings)} redes de hasta"
    what = f"Entrenar {networks} {n_parameters} parámetros con {n_seeds} semillas y lotes de {batch_size} imágenes"
    _check(NUMBER * numbers, what, "capas menores, menos semillas o lotes menores")


def _working(model: keras.Sequential, batch_size: int, n_evaluated: int) -> float:
    """Cuántos números ocupa además un entrenamiento mientras corre."""
    dense = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    # La entrada de un lote y, por capa, la activación, su gradiente y media copia más.
    step = batch_size * (model.input_shape[-1] + 2.7 * sum(dense))
    # La evaluación solo guarda dos capas seguidas.
    evaluation = n_evaluated * max(a + b for a, b in itertools.pairwise([*dense, 0]))
    # Seis veces los pesos: el gradiente, los mejores pesos y lo que XLA copia de pesos y momentos.
    return 6 * model.count_params() + max(step, evaluation)


def _check(n_bytes: int, what: str, remedy: str) -> None:
    free = _free()
    if n_bytes > free:
        needed, free = (f"{value / 2**30:.1f}".replace(".", ",") for value in (n_bytes, free))
        raise MemoryError(f"{what} pide unos {needed} GiB de memoria y hay {free} libres: hacen falta {remedy}.")


def _free() -> int:
    free = psutil.virtual_memory().available
    try:
        # psutil ve la memoria de la máquina; un contenedor puede tener menos. Lo leído de disco se puede soltar.
        limit = int((CGROUP / "memory.max").read_text())
        used = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no es un contenedor, o no tiene límite («max»)
        return free
    return min(free, limit - int(used["anon"]))
