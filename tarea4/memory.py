"""Recuerda lo ya entrenado, para que repetir con otro parámetro no entrene otra vez lo que no cambia.

Los resultados van a la carpeta de caché de quien corre, o a la que diga la variable de entorno `TAREA4_CACHE`; vacía,
no se recuerda nada. La clave resume todo lo que decide un entrenamiento: red, datos, semilla, opciones, código,
versiones y máquina, porque los pesos no coinciden bit a bit entre dos tipos de procesador.
"""

import contextlib
import hashlib
import json
import os
import platform
import tempfile
import zipfile
from pathlib import Path

import joblib
import keras
import numpy as np
import platformdirs
import tensorflow as tf

from tarea4.data import Dataset

MAX_FILES = 2000  # con las redes de 2020, unos 400 MB
DECISIVE = ("data.py", "layers.py", "engine.py", "training.py", "recipes.py")


def key(model: keras.Sequential, data: Dataset, seed: int, options: dict[str, object]) -> str | None:
    """Resumen SHA-256, en hexadecimal, de lo que decide el resultado de un entrenamiento; ninguno si no se recuerda."""
    if not _folder():
        return None
    code = [Path(__file__).with_name(name).read_text(encoding="utf-8") for name in DECISIVE]
    machine = [platform.node(), platform.python_version(), joblib.cpu_count(), *map(os.environ.get, _CPU_SWITCHES)]
    parts = [
        _without_names(keras.saving.serialize_keras_object(model)), data.digest, seed, options, code, machine,
        [module.__version__ for module in (keras, tf, np)],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


_CPU_SWITCHES = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "XLA_FLAGS", "TF_XLA_FLAGS")


def _without_names(node):
    # Keras numera los nombres según lo construido antes, y no deciden nada.
    if isinstance(node, dict):
        return {k: _without_names(v) for k, v in node.items() if k not in {"name", "shared_object_id"}}
    return [_without_names(v) for v in node] if isinstance(node, list | tuple) else node


def recall(key: str) -> tuple[list[np.ndarray], dict] | None:
    """Los pesos y las notas guardados con una clave, o None si no los hay o no se pueden leer."""
    if not (folder := _folder()):
        return None
    try:
        with np.load(folder / f"{key}.npz") as archive:
            notes = json.loads(str(archive["notes"]))
            return [archive[f"w{i}"] for i in range(len(archive.files) - 1)], notes
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def keep(key: str, weights: list[np.ndarray], notes: dict) -> None:
    """Guarda pesos y notas; si no se puede escribir, no pasa nada."""
    if not (folder := _folder()):
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            path = Path(unfinished, "run.npz")
            np.savez(path, notes=json.dumps(notes), **{f"w{i}": weight for i, weight in enumerate(weights)})
            path.replace(folder / f"{key}.npz")
        oldest = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime)
        for path in oldest[:-MAX_FILES]:
            path.unlink(missing_ok=True)


def _folder() -> Path | None:
    given = os.environ.get("TAREA4_CACHE")
    return None if given == "" else Path(given or platformdirs.user_cache_dir("tarea4"))
