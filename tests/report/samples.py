"""Medidas inventadas para probar el informe: ninguna columna, ningún sentido y ninguna semilla se parece a otra."""

import numpy as np
import pandas as pd
from bs4 import BeautifulSoup

from tarea4.training import Run

SEEDS = (3, 0, 4, 1, 2)  # desordenadas
# Cuánto sube cada semilla todas las medidas: mucho más que lo que difieren dos modelos, que solo se ve por parejas.
LUCK = dict(zip(SEEDS, (0.04, -0.02, 0.0, 0.03, -0.05), strict=True))
OWN = 0.001 * np.array([[0, 1, -1, 2, -2], [1, -2, 0, -1, 2], [-1, 0, 2, 1, -2], [2, -1, 1, -2, 0]])


def measured(models: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Tabla como la de `results`: por modelo, la media de cada columna, más la suerte de la semilla y algo de ruido."""
    rows = []
    for i, (name, means) in enumerate(models.items()):
        order = np.roll(SEEDS, i)  # en cada modelo, las semillas van en otro orden
        for j, seed in enumerate(order):
            noise = {column: LUCK[seed] + OWN[(i + k) % 4, j] for k, column in enumerate(means)}
            rows.append({"model": name, "seed": int(seed)} | {c: mean + noise[c] for c, mean in means.items()})
    return pd.DataFrame(rows)


def make_run(seed: int, n_epochs: int = 5, best: int = 3, model=None) -> Run:
    """Un entrenamiento cuya mejor época es `best`, y cuyas tres pérdidas y exactitudes no se confunden."""
    rng = np.random.default_rng(seed)
    bases = {"": (0.5, 0.80), "train_": (0.3, 0.85), "val_": (0.1, 0.90)}
    history = {f"{sense}loss": (low + 0.1 * rng.random(n_epochs)).tolist() for sense, (low, _) in bases.items()}
    history |= {f"{sense}accuracy": (low + 0.04 * rng.random(n_epochs)).tolist() for sense, (_, low) in bases.items()}
    history["val_loss"][best - 1] = 0.05 + 0.001 * seed
    history["seconds"] = [2.0 + seed, *[1.0] * (n_epochs - 1)]  # la primera época compila
    return Run(model, seed, history, sum(history["seconds"]))


def reached(arrivals: dict[str, dict[str, list[int | None]]], seconds: dict[str, float] | None = None) -> pd.DataFrame:
    """Tabla como la de `reaching`: por modelo y sentido, la época de cada semilla de `SEEDS`, o None; duran 9."""
    rows = [
        (name, seed, sense, epoch, epoch or 10, (epoch or 10) * (seconds or {}).get(name, 1.0) + LUCK[seed])
        for name, senses in arrivals.items()
        for sense, epochs in senses.items()
        for seed, epoch in zip(SEEDS, epochs, strict=True)
    ]
    columns = ["model", "seed", "sense", "epoch", "epochs_waited", "seconds_waited"]
    return pd.DataFrame(rows, columns=columns).astype({"epoch": "Int64"})


def cells(html) -> list[list[str]]:
    """Las celdas de una tabla, fila a fila, la cabecera la primera; los espacios, corrientes."""
    page = BeautifulSoup(html.data, "html.parser")
    return [
        [cell.get_text().replace("\xa0", " ") for cell in row.find_all(["th", "td"])] for row in page.find_all("tr")
    ]
