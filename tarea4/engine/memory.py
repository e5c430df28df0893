"""Recuerda lo ya entrenado, para que repetir con otro parámetro no entrene otra vez lo que no cambia.

Los resultados van a la carpeta de caché de quien corre, o a la que diga la variable de entorno `TAREA4_CACHE`; vacía,
no se recuerda nada. La clave resume todo lo que decide un entrenamiento: red, datos, semilla, opciones, código,
versiones y máquina, porque los pesos no coinciden bit a bit entre dos tipos de procesador.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import keras
import numpy as np
import platformdirs
import tensorflow as tf

from tarea4.engine import code

MAX_FILES = 2000  # con las redes de 2020, unos 400 MB
CPU_SWITCHES = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "XLA_FLAGS", "TF_XLA_FLAGS")
ONLY_IF_RICHER = ("train_loss", "train_accuracy", "l1", "l2")
Result = tuple[list[np.ndarray], dict]  # los pesos y unas notas, con la historia


def remember(
    model: keras.Sequential, parts: dict[str, object], compute: Callable[[], Result], *, richer: bool
) -> Result:
    """Lo que dio entrenar `model` con `parts`; si no consta, lo que da `compute`, que se guarda.

    La historia que se pide puede ser la más rica, con lo evaluado en entrenamiento, o la otra: una rica sirve para las
    dos. Si otro proceso está entrenando lo mismo, se le espera.
    """
    folder = os.environ.get("TAREA4_CACHE", platformdirs.user_cache_dir("tarea4"))
    if not folder:
        return compute()
    path = Path(folder, f"{_key(model, parts)}.npz")
    with _turn(path.with_suffix(".lock")):
        weights, notes = _read(path) or ([], {"history": {}})
        if not notes["history"] or (richer and ONLY_IF_RICHER[0] not in notes["history"]):
            weights, notes = compute()
            _write(path, weights, notes)
    kept = {name: values for name, values in notes["history"].items() if richer or name not in ONLY_IF_RICHER}
    return weights, notes | {"history": kept}


@contextlib.contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Uno detrás de otro, donde se puede escribir; quien termina quita su archivo."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            fcntl.flock(stack.enter_context(path.open("w")), fcntl.LOCK_EX)
            stack.callback(path.unlink, missing_ok=True)
        yield


def _key(model: keras.Sequential, parts: dict[str, object]) -> str:
    machine = [platform.node(), platform.python_version(), joblib.cpu_count(), *map(os.environ.get, CPU_SWITCHES)]
    network = json.dumps(keras.saving.serialize_keras_object(model))
    decisive = [
        json.loads(network, object_hook=_without_names), parts, machine,
        code.digest(f"import tarea4.training, {type(model).__module__}"),
        [module.__version__ for module in (keras, tf, np)],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _without_names(config: dict) -> dict:
    # Keras numera los nombres según lo construido antes, y no deciden nada.
    return {k: v for k, v in config.items() if k not in {"name", "shared_object_id"}}


def _read(path: Path) -> Result | None:
    try:
        with np.load(path) as archive:
            return [archive[f"w{i}"] for i in range(len(archive.files) - 1)], json.loads(str(archive["notes"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # no está, o está dañado
        return None


def _write(path: Path, weights: list[np.ndarray], notes: dict) -> None:
    with contextlib.suppress(OSError):  # si no se puede escribir, no pasa nada
        with tempfile.TemporaryDirectory(dir=path.parent) as unfinished:
            whole = Path(unfinished, "run.npz")
            np.savez(whole, notes=json.dumps(notes), **{f"w{i}": weight for i, weight in enumerate(weights)})
            whole.replace(path)
        for file in sorted(path.parent.glob("*.npz"), key=os.path.getmtime)[:-MAX_FILES]:
            file.unlink(missing_ok=True)
