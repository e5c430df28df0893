"""Lo que comparten las respuestas de los cinco capítulos."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from tarea4.report.words import SPLITS, Outcome, outcome, p_text, phrased, plural, verdict
from tarea4.statistics import compare
from tarea4.training import Run

OUTCOMES = ("se confirma", "parece confirmarse"), ("se refuta", "parece refutarse"), "estas semillas no lo deciden"


class Answer(NamedTuple):
    verdict: str  # en pocas palabras, que no dependen de la máquina
    text: str  # con sus cifras


class Claim(NamedTuple):
    statement: str  # lo que se afirmó en 2020
    evidence: str  # lo que se mide para comprobarlo
    outcome: str


class Judged(NamedTuple):
    said: str  # la comparación, en una frase
    outcome: Outcome
    p_value: float

    @property
    def verdict(self) -> str:
        """Si confirma lo que se afirmó: que el modelo es mejor."""
        return phrased(self.outcome, self.p_value, *OUTCOMES)


def by_epoch(runs: list[Run], key: str) -> pd.DataFrame:
    """Una métrica de `Run.history` en cada época (filas, desde 1) y con cada semilla (columnas)."""
    by_seed = pd.DataFrame({run.seed: pd.Series(run.history[key]) for run in runs})
    return by_seed.set_axis(by_seed.index + 1)


def judged(measured: pd.DataFrame, column: str, model: tuple[str, str], other: tuple[str, str]) -> Judged:
    """Qué sale de comparar dos modelos, cada uno con cómo se le llama, en una columna: «val_loss»."""
    split, metric = column.split("_")
    paired = compare(measured, model[0], other[0], column)
    said = verdict(model[1], other[1], metric, paired, f"en {SPLITS[split]}")
    return Judged(said, outcome(paired, lower_is_better=metric == "loss"), paired.p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """Los valores p de una familia, en su orden, corregidos (S. Holm, Scandinavian Journal of Statistics 6(2), 1979).

    El menor de n se multiplica por n, el siguiente por n - 1, y así hasta el mayor; ninguno baja del anterior.
    """
    scaled = np.sort(p_values) * np.arange(len(p_values), 0, -1)
    return np.minimum(np.maximum.accumulate(scaled), 1)[np.argsort(np.argsort(p_values))].tolist()


def sign_flips(differences: Sequence[float]) -> float:
    """El valor p de los cambios de signo de unas diferencias: exacto hasta 13; con más, de 9999 combinaciones al azar.

    References
    ----------
    E. J. G. Pitman, "Significance tests which may be applied to samples from any populations", 1937.
    """
    if len(differences) < 2:
        return np.nan
    test = stats.permutation_test((differences,), np.mean, permutation_type="samples", vectorized=True, rng=0)
    return float(test.pvalue)


def compared(measured: pd.DataFrame, pairs: Iterable[tuple[str, str]], metric: str = "val_loss") -> pd.DataFrame:
    """Una familia de comparaciones, una fila por pareja, con su valor p corregido por Holm, del que sale `outcome`.

    `wins` dice con cuántas semillas gana la primera, y `flips` es `sign_flips` de sus diferencias: una comprobación.
    """
    by_seed, sign = measured.pivot(index="seed", columns="model", values=metric), 1 if metric.endswith("loss") else -1
    rows = []
    for name, other in pairs:
        apart = sign * (by_seed[name] - by_seed[other])
        rows.append((name, other, *compare(measured, name, other, metric), (apart < 0).sum(), sign_flips(apart)))
    columns = ["model", "other", "difference", "low", "high", "p", "n", "confidence", "wins", "flips"]
    found = pd.DataFrame(rows, columns=columns)
    found["holm"], better = holm(found["p"]), np.where(sign * found["difference"] < 0, "mejor", "peor")
    return found.assign(outcome=np.where(found["holm"] < 0.05, better, "sin diferencia"))


def checked(measured: pd.DataFrame, pairs: Iterable[tuple[str, str]], metric: str = "val_loss") -> str:
    """Con cuántas semillas gana cada red a la de su pareja, y los cambios de signo; nada si no hay con qué comparar."""
    trained = [pair for pair in pairs if {*pair} <= set(measured["model"])]
    if not trained or measured["seed"].nunique() < 2:
        return ""
    told = "; ".join(
        f"{row.model}, frente a {row.other}, gana con {row.wins} de {plural(row.n, 'semilla')} ({p_text(row.flips)})"
        for row in compared(measured, trained, metric).itertuples()
    )
    return f"Comprobado con los cambios de signo: {told}."
