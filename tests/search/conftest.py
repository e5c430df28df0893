"""Lo que comparten las pruebas de la búsqueda: tan pocas imágenes que un ensayo tarda décimas de segundo."""

import few
import numpy as np
import pytest

from tarea4 import data
from tarea4.search import reading, run, stages
from tarea4.search.spaces import SPACES


@pytest.fixture(scope="session")
def images_path(tmp_path_factory):
    """Las primeras 300 imágenes de MNIST en un archivo, para otros procesos."""
    path = tmp_path_factory.mktemp("imagenes") / "pocas.npz"
    with np.load(data.MNIST_PATH) as archive:
        np.savez(path, **{name: archive[name][: 300 if "train" in name else 50] for name in archive.files})
    return path


@pytest.fixture(scope="session")
def images(images_path):
    """Esas imágenes, cargadas: 270 entrenan y 30 validan."""
    return data.load(images_path)


@pytest.fixture
def untrained(monkeypatch):
    """Los ensayos de «q4» y de una rejilla de cuatro no entrenan: se prueba lo que se apunta de ellos."""
    monkeypatch.setattr(run, "train_all", few.pretended)
    monkeypatch.setitem(SPACES, "q4", few.few("q4", 5))
    monkeypatch.setitem(SPACES, "q4-rejilla", few.few("q4-rejilla", 5, few.GRID))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Una carpeta vacía en el sitio de los estudios publicados."""
    cached = (reading.published, stages._q4_finalists, stages._q5_sizes, stages._q5_finalists)
    for function in cached:
        function.cache_clear()
    (tmp_path / "estudios").mkdir()
    monkeypatch.setattr(reading, "STUDIES_PATH", tmp_path / "estudios")
    yield tmp_path / "estudios"
    for function in cached:
        function.cache_clear()
