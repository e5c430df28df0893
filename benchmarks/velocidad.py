"""Compara la velocidad de `tarea4.training` con la de otras bibliotecas: ``make bench`` reescribe benchmarks/README.md.

Cada carrera va en un proceso propio y los competidores se turnan; se dan medianas y cocientes dentro de la misma tanda,
porque los segundos de una máquina no dicen nada de otra.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import provenance
from tqdm import tqdm

HERE = Path(__file__).parent
ROUNDS = 3
TORCH_PYTHON = HERE.parent / ".venv-bench" / "bin" / "python"  # PyTorch solo hace falta aquí
RACES = {
    "tarea4, simple": ("tarea4", "plain"),
    "tarea4, regularizada": ("tarea4", "regularised"),
    "tarea4, regularizada, 5 semillas": ("tarea4", "regularised", "5"),
    "Keras `fit`, simple": ("keras", "plain"),
    "Keras `fit`, regularizada": ("keras", "regularised"),
    "PyTorch, simple": ("torch", "plain"),
    "PyTorch, regularizada": ("torch", "regularised"),
    "scikit-learn, simple": ("sklearn", "plain"),
    "NumPy, solo los productos, un hilo": ("numpy", "plain"),
    "NumPy, solo los productos, dos hilos": ("numpy", "plain"),
    "tarea4, simple, 2 semillas": ("tarea4", "plain", "2"),
    "tarea4, regularizada, 2 semillas": ("tarea4", "regularised", "2"),
    "tarea4, simple, 2 semillas, con entrenamiento evaluado": ("tarea4", "plain", "2", "1", "1"),
    "tarea4, regularizada, datos ×2": ("tarea4", "regularised", "1", "2"),
    "tarea4, regularizada, datos ×4": ("tarea4", "regularised", "1", "4"),
}
FLOOR = "NumPy, solo los productos, un hilo"
# Cociente, numerador, denominador, magnitud, factor del denominador, objetivo.
RATIOS = [
    ("simple / PyTorch", "tarea4, simple", "PyTorch, simple", "seconds", 1, 0.5),
    ("regularizada / PyTorch", "tarea4, regularizada", "PyTorch, regularizada", "seconds", 1, 0.25),
    ("simple / Keras `fit`", "tarea4, simple", "Keras `fit`, simple", "seconds", 1, 0.22),
    ("regularizada / Keras `fit`", "tarea4, regularizada", "Keras `fit`, regularizada", "seconds", 1, 0.15),
    ("época de 2 semillas a la vez, simple / suelo de un hilo", "tarea4, simple, 2 semillas", FLOOR, "epoch", 1, 1.25),
    ("lo mismo, regularizada", "tarea4, regularizada, 2 semillas", FLOOR, "epoch", 1, 1.4),
    ("lo mismo, simple, evaluando además el entrenamiento",
        "tarea4, simple, 2 semillas, con entrenamiento evaluado", FLOOR, "epoch", 1, 1.7),
    ("5 semillas / 5 veces una", "tarea4, regularizada, 5 semillas", "tarea4, regularizada", "seconds", 5, 0.6),
    ("datos ×2 / datos", "tarea4, regularizada, datos ×2", "tarea4, regularizada", "seconds", 1, 2),
    ("datos ×4 / datos", "tarea4, regularizada, datos ×4", "tarea4, regularizada", "seconds", 1, 4),
    ("memoria, datos ×4 / datos", "tarea4, regularizada, datos ×4", "tarea4, regularizada", "memory", 1, 4),
]  # fmt: skip
SAME_LOSS = 0.25  # fracción: entre semillas, la pérdida mínima de validación varía un 5-10 %


def race(name: str) -> dict:
    """Corre un competidor en un proceso nuevo y devuelve lo que mide."""
    library, *arguments = RACES[name]
    python = TORCH_PYTHON if library == "torch" else sys.executable
    command = [python, HERE / "competidores.py", library, *arguments]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TAREA4_CACHE": ""}  # lo recordado no se entrenaría
    if library == "numpy":  # los productos, como los calcule la biblioteca en esta máquina, sin ajustes del entorno
        environment = {k: v for k, v in environment.items() if not k.startswith(("OPENBLAS_", "OMP_"))}
        environment["OPENBLAS_NUM_THREADS"] = "2" if "dos hilos" in name else "1"
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if process.returncode:
        sys.exit(f"{name} falló:\n{process.stderr}")
    return json.loads(process.stdout)


def table(measures: pd.DataFrame) -> str:
    """Medianas de cada competidor, en Markdown."""
    lines = ["| competidor | segundos, 20 épocas | segundos por época | pérdida de validación | memoria (MiB) |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for name, row in measures.iterrows():
        loss = "" if pd.isna(row["val_loss"]) else f"{row['val_loss']:.3f}"
        lines.append(f"| {name} | {row['seconds']:.2f} | {row['epoch']:.3f} | {loss} | {row['memory']:.0f} |")
    return "\n".join(lines)


def ratios(measures: pd.DataFrame) -> str:
    """Cocientes y objetivos, en Markdown."""
    lines = ["| cociente | medido | objetivo |", "| --- | ---: | ---: |"]
    for label, above, below, column, factor, target in RATIOS:
        value = measures.loc[above, column] / (factor * measures.loc[below, column])
        lines.append(f"| {label} | {value:.2f} | ≤ {target} |")
    return "\n".join(lines)


def report_ratio(floor: float) -> str:
    """Los cinco cuadernos, sin nada recordado: segundos, épocas entrenadas y su cociente con el suelo de dos hilos."""
    with tempfile.TemporaryDirectory() as folder:
        book, cache = Path(folder, "book"), Path(folder, "cache")
        book.mkdir()
        notebooks = [shutil.copy(HERE.parent / "book" / f"q{i}.ipynb", book) for i in (5, 4, 1, 3, 2)]
        start = time.perf_counter()
        command = [sys.executable, HERE.parent / "tools" / "execute.py", *notebooks]
        subprocess.run(command, check=True, env=os.environ | {"TAREA4_CACHE": str(cache)})
        seconds, epochs = time.perf_counter() - start, 0
        for path in cache.glob("*.npz"):
            with np.load(path) as archive:
                epochs += len(json.loads(str(archive["notes"]))["history"]["loss"])
    ratio = seconds / (epochs * floor)
    return (
        f"{seconds:.0f} s para {epochs} épocas de una semilla: {ratio:.2f} veces el suelo de dos hilos (objetivo 1.25)"
    )


def check_same_work(measures: pd.DataFrame) -> None:
    """Todos llegan a la misma pérdida de validación que Keras: nadie gana por hacer menos."""
    for name, row in measures.dropna().iterrows():
        reference = measures.loc["Keras `fit`, simple" if "simple" in name else "Keras `fit`, regularizada", "val_loss"]
        if "datos" not in name and abs(row["val_loss"] / reference - 1) > SAME_LOSS:
            sys.exit(f"{name}: pérdida {row['val_loss']:.4f}, y la de Keras es {reference:.4f}")


def main() -> None:
    """Corre las tandas y reescribe la tabla."""
    measured = {name: [] for name in RACES}
    for _ in tqdm(range(ROUNDS), desc="tandas"):
        for name in tqdm(RACES, desc="competidores", leave=False):
            measured[name].append(race(name))
    measures = pd.concat({name: pd.DataFrame(rows, dtype=float) for name, rows in measured.items()})
    measures = measures.groupby(level=0, sort=False).median()
    check_same_work(measures)
    text = (HERE / "plantilla.md").read_text(encoding="utf-8")
    machine = f"{provenance.machine()}, Python {platform.python_version()}"
    one, two = measures.loc[[FLOOR, "NumPy, solo los productos, dos hilos"], "epoch"]
    made = {"table": table(measures), "ratios": ratios(measures), "book": report_ratio(two), "machine": machine}
    text = text.format(**made, gain=one / two, date=time.strftime("%Y-%m-%d"))
    (HERE / "README.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
