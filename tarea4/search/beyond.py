"""«Más allá» de Q5: recetas que tardan minutos por semilla, con sus resultados guardados como texto en estudios/.

``python -m tarea4.search.beyond`` entrena lo que falte, y se puede cortar y repetir: cada semilla deja su archivo.
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import joblib
import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tarea4.data import Dataset, load, pooled
from tarea4.evaluation import confusion, evaluate, predict
from tarea4.search.reading import STUDIES_PATH
from tarea4.search.recipes import Recipe
from tarea4.statistics import calibration
from tarea4.training import Run, train_all

FOLDER = STUDIES_PATH / "mas-alla"
COSINE = {"weight_decay": 0.05, "schedule": "coseno", "batch_size": 256}
SMALL = {"hidden_sizes": (142, 70, 32), "activation": "gelu", "learning_rate": 4e-3, "pool": True} | COSINE
SOFT = SMALL | {"dropout": 0.1, "dropout_hidden": 0.15, "epochs": 80}
LARGE = {"noise": 0.3, "noise_hidden": 0.3, "learning_rate": 3e-3} | COSINE
RECIPES = {
    "promediada": Recipe(**SOFT),
    "promediada, etiquetas suaves": Recipe(**SOFT, label_smoothing=0.05),
    "promediada, FGSM": Recipe(**SMALL, noise=0.1, epsilon=0.06, epochs=200),
    "grande": Recipe((1000, 500, 250, 250, 250), **LARGE, epochs=60),
    "grande, FGSM": Recipe((1000, 500, 250, 250), **LARGE, epsilon=0.1, epochs=80),
    "grande, transformaciones afines":
        Recipe((1024, 512), dropout=0.1, learning_rate=3e-3, augment=True, epochs=80, **COSINE),
}  # fmt: skip


def run_missing(data: Dataset, seeds: Sequence[int], names: Iterable[str] = RECIPES, folder: Path = FOLDER) -> None:
    """Entrena cada receta con las semillas que no tengan ya su resultado en `folder`, tantas a la vez como núcleos."""
    folder.mkdir(parents=True, exist_ok=True)
    width = joblib.cpu_count()
    for name in names:
        recipe, images = RECIPES[name], pooled(data) if RECIPES[name].pool else data
        asked = json.loads(json.dumps(asdict(recipe)))  # los JSON no distinguen tuplas de listas
        done = {result["seed"] for result in _results(folder, name) if result["recipe"] == asked}
        pending = [seed for seed in seeds if seed not in done]
        for start in range(0, len(pending), width):
            training = {name: recipe.training(images, train_metrics=False)}
            for run in train_all(training, images, pending[start : start + width])[name]:
                path = folder / _file(name, run.seed)
                unfinished = path.with_suffix(".tmp")
                result = json.dumps({"model": name} | measure(run, recipe, images), ensure_ascii=False)
                unfinished.write_text(result + "\n", encoding="utf-8")
                unfinished.replace(path)
                print(f"{name}, semilla {run.seed}: {run.seconds:.0f} s", flush=True)


def measure(run: Run, recipe: Recipe, data: Dataset) -> dict:
    """Lo que se guarda de un entrenamiento: receta, curva, segundos y lo medido una vez en prueba."""
    probabilities = predict(run.model, data.x_test)
    matrix = confusion(data.y_test, probabilities.argmax(axis=1), data.n_classes)
    return {
        "recipe": asdict(recipe), "seed": run.seed, "parameters": run.model.count_params(),
        "seconds": round(run.seconds, 1), "date": datetime.now(UTC).date().isoformat(),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
        "history": {key: [round(x, 5) for x in run.history[key]] for key in ("val_loss", "val_accuracy")},
        "best_epoch": run.best_epoch, "val_loss": run.best("val_loss"), "val_accuracy": run.best("val_accuracy"),
        **{f"test_{metric}": value for metric, value in evaluate(run.model, data.x_test, data.y_test).items()},
        "ece": calibration(data.y_test, probabilities).ece, "errors": (matrix.sum(axis=1) - np.diag(matrix)).tolist(),
    }  # fmt: skip


def stored(folder: Path = FOLDER) -> pd.DataFrame:
    """Una fila por entrenamiento guardado, en el orden de `RECIPES`: `model`, su nombre, y las claves de `measure`."""
    return pd.DataFrame([result for name in RECIPES for result in _results(folder, name)])


def _results(folder: Path, name: str) -> list[dict]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob(_file(name, "[0-9]*"))]
    return sorted(found, key=lambda result: result["seed"])


def _file(name: str, seed: int | str) -> str:
    return f"{re.sub(',? ', '-', name)}-{seed}.json"


if __name__ == "__main__":
    run_missing(load(), range(5), sys.argv[1:] or RECIPES)
