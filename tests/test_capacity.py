"""Prueba `tarea4.capacity`: lo que no cabe en memoria se dice antes de construirlo o de entrenarlo."""

import re
from types import SimpleNamespace

import psutil
import pytest

from tarea4 import capacity, models
from tarea4.training import train_seeds

GIB = 2**30


@pytest.fixture
def free(monkeypatch):
    """Devuelve una función que fija la memoria libre, en bytes."""

    def fix(n_bytes):
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=n_bytes))

    return fix


@pytest.mark.parametrize("builder", [models.plain, models.regularised])
def test_a_giant_network_is_not_built(builder, free):
    """Cien capas de 10 000 unidades se rechazan sin construirlas, con los GiB que piden y los que hay, en una frase."""
    free(16 * GIB)
    with pytest.raises(MemoryError) as caught:
        builder([10_000] * 100)
    said = str(caught.value)
    # 99 capas de 10 000 x 10 001 parámetros, la primera y la última; de 4 bytes y cuatro veces a la vez.
    parameters = 99 * 10_000 * 10_001 + 10_000 * 785 + 10 * 10_001
    needed = f"{16 * parameters / GIB:.1f}".replace(".", ",")
    pattern = (
        rf"hidden_sizes: una red con {parameters} parámetros pide unos {needed} GiB de memoria y hay 16,0 libres: "
    )
    assert re.fullmatch(pattern + r"hacen falta capas menores\.", said), said


def test_the_limit_is_the_free_memory(free):
    """Con la memoria justa se construye; con un byte menos, no."""
    needed = 16 * models.plain((4,)).count_params()
    free(needed)
    models.plain((4,))
    free(needed - 1)
    with pytest.raises(MemoryError, match="hidden_sizes"):
        models.plain((4,))


def test_training_that_does_not_fit_is_refused(small, free):
    """Demasiadas semillas se rechazan antes de entrenar, con las cifras; con menos, se entrena."""
    model = models.plain((5,))
    free(10_000_000)
    with pytest.raises(MemoryError, match=r"3985 parámetros con 100 .* pide unos 0,0 GiB .* hay 0,0 libres"):
        train_seeds(model, small, range(100), epochs=1)
    assert len(train_seeds(model, small, range(2), epochs=1)) == 2


NETWORK = models.plain((500, 500))


SIZES = {"n_images": 2000, "n_evaluated": 2000, "n_threads": 2}


def check(batch_size=128, n_seeds=2, **sizes):
    """`check_training` con una sola red."""
    capacity.check_training([(NETWORK, batch_size, n_seeds)], **SIZES | sizes)


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({}, False),
        ({"n_seeds": 100}, True),
        ({"n_threads": 8}, True),
        ({"n_evaluated": 5_000_000}, True),
        ({"batch_size": 50_000, "n_images": 50_000}, True),
        ({"n_images": 5_000_000}, True),
        ({"batch_size": 50_000, "n_images": 10}, False),
    ],
    ids=str,
)
def test_everything_that_takes_memory_counts(free, change, more):
    """Piden más memoria más semillas, más hilos, lotes mayores o más imágenes; un lote no pasa de las imágenes."""
    free(83_000_000)
    check()
    if more:
        with pytest.raises(MemoryError, match="Entrenar una red de 648010 parámetros"):
            check(**change)
    else:
        check(**change)


def test_every_thread_keeps_its_own_activations(free):
    """Con muchas imágenes, lo que ocupa evaluarlas se cuenta una vez por hilo, y no una sola."""
    free(500_000_000)  # las dos capas de 500 de todas las imágenes son 200 MB
    check(n_images=50_000, n_evaluated=50_000, n_threads=1)
    with pytest.raises(MemoryError, match="Entrenar una red"):
        check(n_images=50_000, n_evaluated=50_000)


def test_the_networks_of_a_batch_add_up(free):
    """Redes que caben de una en una no caben juntas: se guardan todas hasta el final."""
    free(83_000_000)
    check()
    with pytest.raises(MemoryError, match="Entrenar 3 redes de hasta 648010 parámetros con 2 semillas"):
        capacity.check_training([(NETWORK, 128, 2)] * 3, **SIZES)


def test_the_limit_of_a_container_counts(free, monkeypatch, tmp_path):
    """Cabe lo que deja el límite de un contenedor, sin contar lo leído de disco; sin él, lo que tiene la máquina."""
    free(10**12)
    monkeypatch.setattr(capacity, "CGROUP", tmp_path)
    (tmp_path / "memory.stat").write_text("anon 60000000\nfile 900000000\n")
    (tmp_path / "memory.max").write_text("max\n")
    check()
    (tmp_path / "memory.max").write_text("170000000\n")
    check()
    (tmp_path / "memory.max").write_text("130000000\n")
    with pytest.raises(MemoryError, match="hay 0,1 libres"):
        check()
