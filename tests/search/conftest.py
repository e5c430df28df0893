"""Lo que comparten las pruebas de la búsqueda: tan pocas imágenes que un ensayo tarda décimas de segundo."""

import numpy as np
import pytest

from tarea4 import data
from tarea4.search.spaces import GRID, SPACES


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
def designed(monkeypatch):
    """Deja en Q4 solo dos ensayos diseñados: los siguientes son del muestreador."""
    monkeypatch.setitem(SPACES, "q4", SPACES["q4"]._replace(designed=GRID[:2]))
    return GRID[:2]
