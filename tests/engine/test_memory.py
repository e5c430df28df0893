"""Prueba `tarea4.memory`: se recuerda lo que se entrenó igual, y solo eso."""

import dataclasses
import errno

import numpy as np
import pytest

from tarea4 import memory, models
from tarea4.training import train_seeds

SIZES = (6,)
OPTIONS = {"epochs": 2, "batch_size": 128, "patience": None, "train_metrics": True}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Una carpeta de caché vacía, que aún no existe."""
    folder = tmp_path / "caché"
    monkeypatch.setenv("TAREA4_CACHE", str(folder))
    return folder


def test_the_second_time_nothing_is_trained(small, cache, monkeypatch):
    """La segunda vez salen los mismos pesos y la misma historia sin entrenar; una semilla nueva sí entrena."""
    first = train_seeds(models.plain(SIZES), small, [0, 1], epochs=2)
    assert len(list(cache.glob("*.npz"))) == 2
    with monkeypatch.context() as patch:
        patch.setattr("tarea4.training.compiled", None)
        again = train_seeds(models.plain(SIZES), small, [1, 0], epochs=2)
    for old, new in zip(first, reversed(again), strict=True):
        assert (new.seed, new.history, new.seconds) == (old.seed, old.history, old.seconds)
        for a, b in zip(old.model.get_weights(), new.model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    more = train_seeds(models.plain(SIZES), small, [0, 2], epochs=2)
    assert more[0].history == first[0].history
    assert [run.seed for run in more] == [0, 2]
    assert len(list(cache.glob("*.npz"))) == 3


def test_the_key_depends_on_all_that_decides(small, cache, monkeypatch):
    """Cambiar alfas, tasa, capas, datos, semilla, una opción o un interruptor del procesador cambia la clave."""
    model = models.regularised(SIZES, dropout=0.1, alpha_l1=1e-4)
    base = memory.key(model, small, 0, OPTIONS)
    assert base == memory.key(models.regularised(SIZES, dropout=0.1, alpha_l1=1e-4), small, 0, OPTIONS)
    x_train = small.x_train.copy()
    x_train[0, 0] += 0.5
    others = [
        memory.key(models.regularised(SIZES, dropout=0.1, alpha_l1=1e-5), small, 0, OPTIONS),
        memory.key(models.regularised(SIZES, dropout=0.2, alpha_l1=1e-4), small, 0, OPTIONS),
        memory.key(models.regularised((7,), dropout=0.1, alpha_l1=1e-4), small, 0, OPTIONS),
        memory.key(model, dataclasses.replace(small, x_train=x_train), 0, OPTIONS),
        memory.key(model, small, 1, OPTIONS),
        memory.key(model, small, 0, OPTIONS | {"epochs": 3}),
    ]
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "cero")
    others.append(memory.key(model, small, 0, OPTIONS))
    assert None not in others
    assert len({base, *others}) == 1 + len(others)


def test_a_broken_file_is_trained_again(small, cache):
    """Un fichero cortado por la mitad no se usa: se entrena otra vez y se sustituye."""
    first = train_seeds(models.plain(SIZES), small, [0], epochs=1)
    (path,) = cache.glob("*.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    again = train_seeds(models.plain(SIZES), small, [0], epochs=1)
    assert again[0].history["val_loss"] == first[0].history["val_loss"]
    assert memory.recall(path.stem)


def test_without_a_folder_nothing_is_kept(small, tmp_path, monkeypatch):
    """Con la variable vacía, o con una carpeta que no se puede crear, se entrena y no se guarda nada."""
    blocked = tmp_path / "fichero"
    blocked.write_text("")
    for value in ("", str(blocked / "dentro")):
        monkeypatch.setenv("TAREA4_CACHE", value)
        assert train_seeds(models.plain(SIZES), small, [0], epochs=1)[0].history["loss"]
    assert list(tmp_path.iterdir()) == [blocked]


def test_a_full_disk_leaves_nothing_behind(cache, monkeypatch):
    """Si el disco se llena a media escritura, el entrenamiento sigue y no queda un fichero a medias."""

    def fill(path, **arrays):
        path.write_bytes(b"PK")
        raise OSError(errno.ENOSPC, "no cabe")

    monkeypatch.setattr(np, "savez", fill)
    memory.keep("clave", [np.zeros(3)], {"seconds": 1})
    assert list(cache.iterdir()) == []
    assert memory.recall("clave") is None


def test_the_oldest_files_go(cache, monkeypatch):
    """Nunca hay más ficheros que el máximo; se va el más antiguo."""
    monkeypatch.setattr(memory, "MAX_FILES", 2)
    for i in range(4):
        memory.keep(f"clave{i}", [np.full(3, i)], {"seconds": i})
    assert len(list(cache.iterdir())) == 2
    weights, notes = memory.recall("clave3")
    np.testing.assert_array_equal(weights[0], [3, 3, 3])
    assert notes == {"seconds": 3}


def test_what_functions_decide_is_not_remembered(small, cache):
    """Con `augment` o con `callbacks` no se recuerda: una clave no puede resumir lo que hace una función."""
    train_seeds(models.plain(SIZES), small, [0], epochs=1, augment=lambda x, rng: x)
    train_seeds(models.plain(SIZES), small, [0], epochs=1, callbacks=lambda seed: [])
    assert not cache.exists()
