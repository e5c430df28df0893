"""Datos reales en rodajas pequeñas, compartidos por las pruebas."""

import dataclasses

import pytest

from tarea4 import data


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
