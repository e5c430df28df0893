"""Prueba `tarea4.engine.memory`: se recuerda lo que se entrenó igual, y solo eso."""

import dataclasses
import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tarea4 import models
from tarea4.engine import code, memory
from tarea4.search.recipes import Recipe
from tarea4.training import train_seeds

SIZES = (6,)


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
    """Otra alfa, tasa, capa, penalización, imagen, semilla, opción, código o procesador es otro entrenamiento."""
    asked, notes = [], {"history": {"train_loss": [1.0], "val_loss": [1.0]}, "seconds": 1.0}

    def key(model=None, data=small, seed=0, **options):
        model = model or models.regularised(SIZES, alpha_l1=1e-4)
        # Como si todo constara: importa por qué se pregunta, y no hay que entrenar.
        monkeypatch.setattr(memory, "_read", lambda path: asked.append(path.stem) or (model.get_weights(), notes))
        train_seeds(model, data, [seed], **{"epochs": 1} | options)
        return asked[-1]

    base = key()
    assert base == key()
    x_train = small.x_train.copy()
    x_train[0, 0] += 0.5
    others = [
        key(models.regularised(SIZES, alpha_l1=1e-5)), key(models.regularised(SIZES, alpha_l1=1e-4, dropout=0.1)),
        key(models.regularised((7,), alpha_l1=1e-4)), key(models.regularised(SIZES, alpha_l2=1e-4)),
        key(data=dataclasses.replace(small, x_train=x_train)), key(seed=1), key(epochs=2), key(batch_size=64),
    ]  # fmt: skip
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "cero")
    others.append(key())
    monkeypatch.setattr(code, "digest", lambda source: "otro código")
    others.append(key())
    assert len({base, *others}) == 1 + len(others)


def test_the_code_that_decides_is_that_of_training_and_of_the_network(small, monkeypatch):
    """La clave resume el código al que llega `tarea4.training`, salvo el que carga los datos, y el de la red."""
    asked = []
    monkeypatch.setattr(code, "digest", lambda source: asked.append(source) or "")
    for model in (models.plain(SIZES), Recipe(SIZES, epsilon=0.1).build(small)):
        memory._key(model, {})
    found = [set(code.reached(source)) - code.IDENTIFIED for source in asked]
    assert found == [DECISIVE, DECISIVE | {"tarea4.search.recipes"}]


DECISIVE = {
    *("tarea4.training", "tarea4.engine"),
    *(f"tarea4.engine.{name}" for name in ("code", "epoch", "layers", "memory")),
}


def test_a_broken_file_is_trained_again(small, cache):
    """Un archivo cortado por la mitad no se usa: se entrena otra vez y se sustituye."""
    first = train_seeds(models.plain(SIZES), small, [0], epochs=1)
    (path,) = cache.glob("*.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    again = train_seeds(models.plain(SIZES), small, [0], epochs=1)
    assert again[0].history["val_loss"] == first[0].history["val_loss"]
    assert memory._read(path)


def test_without_a_folder_nothing_is_kept(small, tmp_path, monkeypatch):
    """Con la variable vacía, o con una carpeta que no se puede crear, se entrena y no se guarda nada."""
    blocked = tmp_path / "archivo"
    blocked.write_text("")
    for value in ("", str(blocked / "dentro")):
        monkeypatch.setenv("TAREA4_CACHE", value)
        assert train_seeds(models.plain(SIZES), small, [0], epochs=1)[0].history["loss"]
    assert list(tmp_path.iterdir()) == [blocked]


def test_a_full_disk_leaves_nothing_behind(cache, monkeypatch):
    """Si el disco se llena a media escritura, el entrenamiento sigue y no queda un archivo a medias."""

    def fill(path, **arrays):
        path.write_bytes(b"PK")
        raise OSError(errno.ENOSPC, "no cabe")

    monkeypatch.setattr(np, "savez", fill)
    made = [np.zeros(3)], {"history": {"loss": [1.0]}, "seconds": 1}
    assert memory.remember(models.plain(SIZES), {}, lambda: made, richer=False) == made
    assert list(cache.iterdir()) == []


def test_the_oldest_files_go(cache, monkeypatch):
    """Nunca hay más archivos que el máximo; se va el más antiguo."""
    monkeypatch.setattr(memory, "MAX_FILES", 2)
    model = models.plain(SIZES)
    for i in range(4):
        notes = {"history": {"loss": [float(i)]}, "seconds": i}
        memory.remember(model, {"seed": i}, lambda i=i, notes=notes: ([np.full(3, i)], notes), richer=False)
        for path in cache.iterdir():  # la hora de un archivo puede tener menos precisión que este bucle
            os.utime(path, (path.stat().st_mtime - 10,) * 2)
    assert len(list(cache.iterdir())) == 2
    weights, kept = memory.remember(model, {"seed": 3}, None, richer=False)
    np.testing.assert_array_equal(weights[0], [3, 3, 3])
    assert kept == notes


def test_a_richer_history_serves_a_poorer_request(small, cache, monkeypatch):
    """Lo entrenado con métricas de entrenamiento vale para quien no las pide, que no las recibe; al revés, no vale."""
    model = models.regularised(SIZES, alpha_l1=0.1)
    rich = train_seeds(model, small, [0], epochs=1)[0]
    with monkeypatch.context() as patch:
        patch.setattr("tarea4.training.compiled", None)
        poor = train_seeds(model, small, [0], epochs=1, train_metrics=False)[0]
        assert train_seeds(model, small, [0], epochs=1)[0].history == rich.history
    assert rich.history.keys() - poor.history.keys() == set(memory.ONLY_IF_RICHER)
    assert poor.history == {name: rich.history[name] for name in poor.history}
    train_seeds(model, small, [1], epochs=1, train_metrics=False)
    assert "train_loss" in train_seeds(model, small, [1], epochs=1)[0].history
    assert len(list(cache.iterdir())) == 2


def test_who_needs_what_another_is_training_waits_for_it(cache):
    """Dos que piden lo mismo a la vez entrenan una: el segundo espera y recuerda lo del primero."""
    begun, finish, calls = threading.Event(), threading.Event(), []

    def compute():
        calls.append(1)
        begun.set()
        finish.wait(20)
        return [np.ones(2)], {"history": {"loss": [0.5]}, "seconds": 1.0}

    def ask():
        return memory.remember(models.plain(SIZES), {"seed": 0}, compute, richer=False)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask)
        assert begun.wait(20)
        second = pool.submit(ask)
        finish.set()
        assert first.result()[1] == second.result()[1]
    assert calls == [1]
    assert [path.suffix for path in cache.iterdir()] == [".npz"]


def test_what_functions_decide_is_not_remembered(small, cache):
    """Con `augment` o con `callbacks` no se recuerda: una clave no puede resumir lo que hace una función."""
    train_seeds(models.plain(SIZES), small, [0], epochs=1, augment=lambda x, rng: x)
    train_seeds(models.plain(SIZES), small, [0], epochs=1, callbacks=lambda seed: [])
    assert not cache.exists()
