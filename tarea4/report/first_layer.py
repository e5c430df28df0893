"""Lo que ha aprendido la primera capa: sus pesos, cuánto se concentran y en qué red lo hacen más."""

import keras
import numpy as np
import pandas as pd

from tarea4.report.words import bounds, mean_and_spread, number, outcome, percent, phrased
from tarea4.statistics import compare
from tarea4.training import Run

TENTH = 0.1
# Lo que reúne esa parte de unos pesos sacados de una uniforme, como los iniciales: la integral de sus mayores.
AT_FIRST = 1 - (1 - TENTH) ** 2


def weights(model: keras.Sequential) -> np.ndarray:
    """Los pesos (unidades, entradas) de la primera capa densa de una red."""
    return next(weight for weight in model.get_weights() if weight.ndim == 2).T


def concentration(runs_by_name: dict[str, list[Run]]) -> pd.DataFrame:
    """Por entrenamiento, `share`: qué parte de los pesos de una unidad, sin signo, reúne un décimo de los píxeles."""
    rows = []
    for name, run in ((name, run) for name, runs in runs_by_name.items() for run in runs):
        sizes = np.sort(np.abs(weights(run.model)))
        share = sizes[:, -max(1, round(TENTH * sizes.shape[1])) :].sum(axis=1) / sizes.sum(axis=1)
        rows.append({"model": name, "seed": run.seed, "share": float(share.mean())})
    return pd.DataFrame(rows)


def concentration_reading(shares: pd.DataFrame, name: str = "regularizado", other: str = "simple") -> str:
    """En cuál de las redes se concentran más los pesos de la primera capa, y cuánto."""
    by_model = shares.groupby("model", sort=False)["share"].agg(mean_and_spread, 2, 100)
    told = "; en el ".join(f"{model}, el {share}\xa0%" for model, share in by_model.items())
    text = (
        "En cada unidad, los píxeles de más peso, que son uno de cada diez, reúnen esta parte de la suma de los pesos, "
        f"sin su signo: en el {told}. Con los pesos iniciales sería el {percent(AT_FIRST, 0)}."
    )
    if len(by_model) < 2 or shares["seed"].nunique() < 2:
        return text
    paired = compare(shares.assign(share=100 * shares["share"]), name, other, "share")
    more = [(f"Reúnen más los del {each}", f"Parecen reunir más los del {each}") for each in (name, other)]
    said = phrased(outcome(paired), paired.p_value, *more, "Estas semillas no distinguen lo que reúnen")
    difference = f"lo que reúnen difiere en {number(paired.mean_difference, 2)} puntos, {bounds(paired, 2)}"
    return f"{text} {said} ({difference})."
