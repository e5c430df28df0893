"""Lo que comparten las pruebas: datos reales en rodajas pequeñas y un navegador."""

import dataclasses
import os

import numpy as np
import pdf
import pytest
from playwright.sync_api import sync_playwright

from tarea4 import data

os.environ["TAREA4_CACHE"] = ""  # aquí se entrena siempre: lo recordado taparía un fallo


@pytest.fixture(scope="session")
def mnist() -> data.Dataset:
    """MNIST entero."""
    return data.load()


@pytest.fixture(scope="session")
def small(mnist) -> data.Dataset:
    """Las primeras 2 000 imágenes de entrenamiento, 500 de validación y 500 de prueba."""
    sizes = {"train": 2000, "val": 500, "test": 500}
    slices = {f"{axis}_{split}": getattr(mnist, f"{axis}_{split}")[:n] for split, n in sizes.items() for axis in "xy"}
    return dataclasses.replace(mnist, **slices)


@pytest.fixture(scope="session")
def other_data(tmp_path_factory):
    """Otro conjunto de datos: MNIST recortado a 20 x 18 píxeles, solo las cifras 0, 1 y 2."""
    path = tmp_path_factory.mktemp("datos") / "otros.npz"
    with np.load(data.MNIST_PATH) as mnist:
        arrays = {}
        for split, n in {"train": 1500, "test": 400}.items():
            kept = np.flatnonzero(mnist[f"y_{split}"] < 3)[:n]
            arrays |= {f"x_{split}": mnist[f"x_{split}"][kept, 4:24, 5:23], f"y_{split}": mnist[f"y_{split}"][kept]}
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="session")
def browser_path():
    """Navegador del sistema; donde no lo hay, la prueba se salta y dice cómo hacerla."""
    if not (path := pdf.browser_path()):
        pytest.skip(f"no hay navegador: instala uno de {', '.join(pdf.BROWSERS)} (en Debian, apt-get install chromium)")
    return path


@pytest.fixture(scope="module")
def chromium(browser_path):
    """El navegador, abierto para un archivo de pruebas."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """Una pestaña nueva, sin animaciones."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    yield context.new_page()
    context.close()
