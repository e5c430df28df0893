"""Prepara los datos de «Entrena tú»: ``python tools/pack_digits.py`` los escribe en book/_extra/entrenador/.

`digitos.js` lleva 9 000 imágenes de MNIST a 4 bits por píxel, con sus etiquetas; `publicado.js`, lo que Keras mide al
entrenar con ellas las dos redes de 2020. Las imágenes se sortean con una semilla fija, dentro de los tres conjuntos
del informe: las que aquí entrenan, validan y prueban también lo hacen allí.
"""

import base64
import dataclasses
import json
import sys
import zlib
from pathlib import Path

import numpy as np

from tarea4 import Dataset, Run, Training, load, paired_difference, results, train_all, try_01, try_02

FOLDER = Path(__file__).parents[1] / "book" / "_extra" / "entrenador"
SIZES = {"train": 6000, "val": 1500, "test": 1500}
SUBSETS = (500, 2000, 6000)  # imágenes de entrenamiento entre las que se elige en la página
LEVELS = 15  # la mayor intensidad que cabe en 4 bits
SEEDS, EPOCHS = range(5), 50
NETWORKS = {"Try 01": try_01, "Try 02": try_02}
METRICS = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
LICENCE = (
    "// Imágenes de MNIST, de Yann LeCun y Corinna Cortes, con licencia CC BY-SA 3.0\n"
    "// (https://creativecommons.org/licenses/by-sa/3.0/deed.es), reducidas a 4 bits por píxel. Las escribe\n"
    "// tools/pack_digits.py: zlib de las etiquetas, una por byte, y de los píxeles, dos por byte, en base64.\n"
)


def sample(data: Dataset) -> Dataset:
    """Las imágenes de la página, a 8 bits: unas pocas de cada conjunto, al azar y sin repetir."""
    rng, parts = np.random.default_rng(0), {}
    for split, size in SIZES.items():
        rows = rng.choice(len(getattr(data, f"x_{split}")), size, replace=False)
        parts |= {f"{axis}_{split}": getattr(data, f"{axis}_{split}")[rows] for axis in "xy"}
    return dataclasses.replace(data, **parts)


def reduced(data: Dataset) -> Dataset:
    """Las mismas imágenes con 16 intensidades, como las ve la página."""
    images = {f"x_{split}": np.rint(LEVELS * getattr(data, f"x_{split}")) / np.float32(LEVELS) for split in SIZES}
    return dataclasses.replace(data, **images)


def packed(data: Dataset) -> str:
    """El guion que deja en DIGITS las imágenes y las etiquetas comprimidas."""
    images = np.concatenate([getattr(data, f"x_{split}") for split in SIZES])
    labels = np.concatenate([getattr(data, f"y_{split}") for split in SIZES]).astype("uint8")
    levels = np.rint(LEVELS * images).astype("uint8").reshape(-1, 2)
    compressor = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    raw = labels.tobytes() + (levels[:, 0] << 4 | levels[:, 1]).tobytes()
    text = base64.b64encode(compressor.compress(raw) + compressor.flush()).decode()
    return f'{LICENCE}window.DIGITS = {{ sizes: {json.dumps(SIZES)}, packed: "{text}" }};\n'


def first(data: Dataset, size: int) -> Dataset:
    """Los mismos datos con solo las primeras `size` imágenes de entrenamiento."""
    return dataclasses.replace(data, x_train=data.x_train[:size], y_train=data.y_train[:size])


def curves(runs: list[Run]) -> dict[str, dict[str, list[float]]]:
    """De cada métrica, la media, la menor y la mayor de las semillas en cada época."""
    series = {name: np.array([run.history[name] for run in runs]) for name in METRICS}
    summaries = {"mean": np.mean, "low": np.min, "high": np.max}
    return {
        name: {key: summary(values, axis=0).round(4).tolist() for key, summary in summaries.items()}
        for name, values in series.items()
    }


def trained(data: Dataset) -> dict[str, list[Run]]:
    """Las dos redes de 2020, con todas las semillas."""
    return train_all({name: Training(make(**data.sizes), EPOCHS) for name, make in NETWORKS.items()}, data, SEEDS)


def published(full: Dataset) -> dict:
    """Lo que la página enseña antes de entrenar nada, y lo que cuestan los 4 bits en exactitud de prueba."""
    data = reduced(full)
    runs = {size: trained(first(data, size)) for size in SUBSETS}
    tables = {"four": results(runs[max(SUBSETS)], data), "eight": results(trained(full), full)}
    cost = {}
    for name in NETWORKS:
        accuracies = {bits: table.loc[table["model"] == name, "test_accuracy"] for bits, table in tables.items()}
        difference = paired_difference(accuracies["four"], accuracies["eight"])
        cost[name] = {"mean": difference.mean_difference, "low": difference.low, "high": difference.high}
    return {
        "seeds": len(SEEDS),
        "epochs": EPOCHS,
        "curves": {name: {size: curves(group[name]) for size, group in runs.items()} for name in NETWORKS},
        "cost": cost,
    }


def main() -> None:
    """Escribe los dos archivos."""
    full = sample(load())
    FOLDER.joinpath("digitos.js").write_text(packed(reduced(full)), encoding="utf-8")
    text = json.dumps(published(full), separators=(",", ":"))
    header = "// Lo escribe tools/pack_digits.py: Keras, con las mismas imágenes que la página.\n"
    FOLDER.joinpath("publicado.js").write_text(f"{header}const PUBLISHED = {text};\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
