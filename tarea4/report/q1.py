"""Q1: cuál de los dos modelos es preferible y por qué. Sus parámetros, su respuesta y lo que se afirmó en 2020."""

from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from tarea4.report.claims import Answer, Claim, Judged, by_epoch, compared
from tarea4.report.parameters import Regularised, Sizes, Thresholds, meaning
from tarea4.report.words import (
    bounds,
    epochs_reaching,
    in_test,
    mean_and_spread,
    number,
    outcome,
    p_text,
    phrased,
    plural,
    settled,
)
from tarea4.statistics import Comparison, compare, mcnemar, paired_difference, standard_error
from tarea4.training import SENSES, Run

OVERFITS = 1.25  # se sobreajusta la red cuya pérdida de validación acaba por encima de tantas veces su mínimo
COMPARABLE = ("train_", "val_")  # los sentidos de la pérdida en que cabe comparar una red con dropout y otra sin él
WHERE = {"val": "En validación", "test": "En el conjunto de prueba"}
LOSS, ACCURACY = ("pérdida", 1, 4, "", ""), ("exactitud", 100, 2, "\N{NO-BREAK SPACE}%", " puntos")


class Parameters(Regularised, Thresholds):
    model: Literal["ambos", "simple", "regularizado"] = meaning('modelos: "ambos", "simple" o "regularizado"')
    hidden_sizes: Sizes = meaning("unidades de cada capa oculta del modelo simple")
    hidden_sizes_regularised: Sizes = meaning("unidades de cada capa oculta del modelo regularizado")


def fits(runs_by_name: dict[str, list[Run]]) -> pd.DataFrame:
    """Una fila por entrenamiento, con lo evaluado en su primera época, en la mejor de validación y en la última.

    Columnas: `model`, `seed`, `epochs`, `best_epoch` y, terminadas en `_first`, `_best` y `_last`, `train` y `val`
    (pérdidas), `gap` (la segunda menos la primera) y `accuracy` (de validación).
    """
    rows = []
    for name, run in ((name, run) for name, runs in runs_by_name.items() for run in runs):
        row = {"model": name, "seed": run.seed, "epochs": len(run.history["loss"]), "best_epoch": run.best_epoch}
        for when, i in {"first": 0, "best": run.best_epoch - 1, "last": -1}.items():
            train, val, accuracy = (run.history[key][i] for key in ("train_loss", "val_loss", "val_accuracy"))
            found = {"train": train, "val": val, "gap": val - train, "accuracy": accuracy}
            row |= {f"{name}_{when}": value for name, value in found.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def gaps(runs_by_name: dict[str, list[Run]]) -> dict[str, pd.DataFrame]:
    """Por modelo, la brecha: pérdida de validación menos la evaluada de entrenamiento, por época (filas) y semilla."""
    return {name: by_epoch(runs, "val_loss") - by_epoch(runs, "train_loss") for name, runs in runs_by_name.items()}


def overfits(fitted: pd.DataFrame, name: str) -> bool:
    """Si desde la mejor época la pérdida de entrenamiento baja y la de validación sube tanto como dice `OVERFITS`."""
    mean = fitted[fitted["model"] == name].mean(numeric_only=True)
    return bool(mean["train_last"] < mean["train_best"] and mean["val_last"] > OVERFITS * mean["val_best"])


def overfitting(fitted: pd.DataFrame, name: str) -> str:
    """Si un modelo se sobreajusta, con sus pérdidas, en una frase."""
    mean, does = fitted[fitted["model"] == name].mean(numeric_only=True), "se" if overfits(fitted, name) else "no se"
    if mean["epochs"] == 1:
        return f"Con una sola época no se ve si el {name} se sobreajusta."
    first, last, least, end = map(number, mean[["train_first", "train_last", "val_best", "val_last"]])
    ends = "aún no sube" if end == least else f"acaba en {end}"
    return (
        f"El {name} {does} sobreajusta: su pérdida de validación baja a {least} y {ends}; la de entrenamiento "
        f"va de {first} a {last}. Su mejor época ronda la {number(mean['best_epoch'], 0)}."
    )


def gap_reading(fitted: pd.DataFrame, name: str = "simple", other: str = "regularizado") -> str:
    """De dónde a dónde va la brecha de cada modelo, y si al final una es mayor que la otra."""
    means = fitted.groupby("model", sort=False)[["gap_first", "gap_last"]].mean().map(number)
    moved = "; la del ".join(f"{model} va de {first} a {last}" for model, first, last in means.itertuples())
    text = f"De la primera época a la última, la brecha de pérdida del {moved}."
    if len(means) < 2 or fitted["seed"].nunique() < 2:
        return text
    paired = compare(fitted, name, other, "gap_last")
    wider = [(f"es mayor la del {each}", f"parece mayor la del {each}") for each in (name, other)]
    said = phrased(outcome(paired), paired.p_value, *wider, "estas semillas no las distinguen")
    difference = f"diferencia de pérdida de {number(paired.mean_difference)}{_bounds(paired, 4)}"
    return f"{text} En la última, {said} ({difference})."


def stopping_reading(runs_by_name: dict[str, list[Run]], name: str = "simple", other: str = "regularizado") -> str:
    """Si a la primera red le basta con parar en su mejor época: qué pérdida de validación tiene entonces cada una."""
    if not {name, other} <= runs_by_name.keys():
        return "Con un solo modelo no hay con qué comparar."
    epoch = round(np.mean([run.best_epoch for run in runs_by_name[name]]))
    by_seed = pd.DataFrame({each: by_epoch(runs_by_name[each], "val_loss").loc[epoch] for each in (name, other)})
    ours, theirs = by_seed.mean()
    paired = paired_difference(by_seed[other], by_seed[name])
    told = ("Parar ahí no le basta", "Parece que parar ahí no le basta"), ("Parar ahí le bastaría",) * 2
    undecided = "Estas semillas no dicen si parar ahí le bastaría"
    enough = phrased(outcome(paired, lower_is_better=True), paired.p_value, *told, undecided)
    return (
        f"En la época {epoch}, hacia la que el {name} da lo mejor, su pérdida de validación media es {number(ours)}, "
        f"y la del {other}, {number(theirs)}. {enough}."
    )


def answer(measured: pd.DataFrame, fitted: pd.DataFrame, name: str = "regularizado", other: str = "simple") -> Answer:
    """Cuál de los dos modelos es preferible, que es el de menor pérdida de validación si se sostiene, y por qué."""
    trained = list(measured["model"].unique())
    overfit = " ".join(overfitting(fitted, each) for each in trained)
    shown = "; ".join(f"el {each} da {in_test(measured, each)}" for each in trained)
    if len(trained) == 1:
        loss, accuracy = mean_and_spread(measured["val_loss"]), mean_and_spread(measured["val_accuracy"], 2, 100)
        text = f"**Solo se ha entrenado un modelo**: {shown}. En validación, pérdida {loss} y exactitud {accuracy}"
        text = f"{text}\xa0%. {overfit} Para compararlo con el otro, `model` debe ser «ambos»."
        return Answer("sin comparación", text)
    if measured["seed"].nunique() == 1:
        text = f"**Una sola semilla no dice cuál es preferible.** Con ella, {shown}. {overfit}"
        return Answer("una sola semilla no dice cuál es preferible", text)
    accuracy, loss = (versus(measured, column, name, other) for column in ("test_accuracy", "val_loss"))
    support = f"{loss.said} {accuracy.said}"
    if loss.outcome == "sin diferencia":
        choice = "estas semillas no dicen cuál es preferible"
        return Answer(choice, f"**{choice.capitalize()}.** {support}")
    preferred, rejected = (name, other) if loss.outcome == "mejor" else (other, name)
    choice = f"{settled(loss.p_value, 'es', 'parece')} preferible el modelo {preferred}"
    if {accuracy.outcome, loss.outcome} == {"mejor", "peor"}:
        choice += f", pero en el conjunto de prueba {settled(accuracy.p_value, 'acierta', 'parece acertar')} menos"
    why = {
        (False, True): f": el {rejected} se sobreajusta y él no", (True, False): ", aunque se sobreajusta y el otro no",
        (True, True): ", aunque los dos se sobreajustan",
    }.get((overfits(fitted, preferred), overfits(fitted, rejected)), "")  # fmt: skip
    return Answer(choice, f"**Según estas semillas, {choice}{why}.** {support}")


def versus(measured: pd.DataFrame, column: str, name: str, other: str) -> Judged:
    """Lo que dan dos modelos en una columna, «test_accuracy» o «val_loss», con cuántas semillas gana uno, y si gana."""
    split, metric = column.split("_")
    what, scale, decimals, unit, difference = LOSS if metric == "loss" else ACCURACY
    means, (pair,) = measured.groupby("model")[column].mean(), compared(measured, [(name, other)], column).itertuples()
    ours, theirs, apart = (number(scale * x, decimals) for x in (means[name], means[other], pair.difference))
    said = f"{WHERE[split]}, la {what} del {name} es {ours}{unit} y la del {other}, {theirs}{unit}"
    said += ": estas semillas no las distinguen" if pair.outcome == "sin diferencia" and pair.n > 1 else ""
    wins = f"gana con {pair.wins} de {plural(pair.n, 'semilla')}"
    said += f" (diferencia de {apart}{difference}{_bounds(pair, decimals, scale)}; {wins})."
    return Judged(said, pair.outcome, pair.p)


def easier(reached: pd.DataFrame, name: str, other: str) -> Judged:
    """Cuál de dos redes llega con más semillas a los umbrales de un solo sentido, por la prueba exacta de Fisher."""
    by_model = reached.groupby("model")["epoch"]
    arrived, n, arrives = by_model.count(), by_model.size(), by_model.agg(epochs_reaching)
    p_value = stats.fisher_exact([[arrived[each], n[each] - arrived[each]] for each in (name, other)]).pvalue
    found = "sin diferencia" if p_value >= 0.05 else "mejor" if arrived[name] > arrived[other] else "peor"
    said = f"El {name} {arrives[name]}; el {other} {arrives[other]} (Fisher, {p_text(p_value)})."
    return Judged(said, found, p_value)


def sooner(reached: pd.DataFrame, name: str, other: str) -> Judged:
    """Cuál de dos redes llega antes, en épocas, a los umbrales de un solo sentido.

    Si llegan todas las semillas, decide la diferencia emparejada. De la que no llega solo se sabe que tarda más: si una
    red llega siempre y la otra nunca, decide `easier`; si no, la prueba de los signos, de quién llega antes con cada
    semilla.
    """
    epochs, waited = (reached.pivot(index="seed", columns="model", values=c) for c in ("epoch", "epochs_waited"))
    arrived, n = epochs.notna().sum(), len(epochs)
    if n == 1:
        return Judged("Una sola semilla no dice cuál llega antes.", "sin diferencia", np.nan)
    if {arrived[name], arrived[other]} == {0, n}:
        said = f"Llega siempre el {name if arrived[name] else other}; el otro, nunca."
        return easier(reached, name, other)._replace(said=said)
    if arrived[name] == arrived[other] == n:
        paired = compare(reached, name, other, "epochs_waited")
        difference = f"{number(paired.mean_difference, 1)}{_bounds(paired, 1)}"
        said = f"Las épocas del {name} menos las del {other}: {difference}."
        return Judged(said, outcome(paired, lower_is_better=True), paired.p_value)
    first, last = int((waited[name] < waited[other]).sum()), int((waited[name] > waited[other]).sum())
    p_value = stats.binomtest(first, first + last).pvalue if first + last else 1.0
    found = "sin diferencia" if p_value >= 0.05 else "mejor" if first > last else "peor"
    said = f"Antes que el otro, el {name} llega con {first} de {n} semillas; el {other} llega con {last} de {n}"
    return Judged(f"{said} (prueba de los signos, {p_text(p_value)}).", found, p_value)


def claims(measured: pd.DataFrame, reached: pd.DataFrame) -> list[Claim]:
    """Lo que se afirmó en 2020 del modelo regularizado: que es preferible, más rápido y más capaz de llegar."""
    name, other, preferable = "regularizado", "simple", "El modelo regularizado es preferible"
    if not {name, other} <= set(reached["model"]):
        return [Claim(preferable, "Solo se ha entrenado un modelo.", "sin comparación")]
    loss, quick, easy = versus(measured, "val_loss", name, other), [], []
    for sense in COMPARABLE:
        rows, where = reached[reached["sense"] == sense], f"a los umbrales ({SENSES[sense]})"
        took = rows.groupby("model")["seconds_waited"].agg(mean_and_spread, 1)
        late = rows.groupby("model")["epoch"].agg(lambda epochs: "al menos " if epochs.isna().any() else "")
        earlier, oftener = (judge(rows, name, other) for judge in (sooner, easier))
        told = f"{earlier.said} El {name} tarda {(late + took)[name]} s; el {other}, {(late + took)[other]} s."
        quick.append(Claim(f"«Agiliza el proceso de optimización»: llega antes {where}", told, earlier.verdict))
        easy.append(Claim(f"Es más fácil llegar {where}: llegan más semillas", oftener.said, oftener.verdict))
    return [Claim(preferable, loss.said, loss.verdict), *quick, *easy]


def disagreement(y: np.ndarray, predictions: dict[str, np.ndarray]) -> str:
    """Las imágenes de prueba que acierta una sola de dos redes ya elegidas, por las clases (n,) que dan."""
    if len(predictions) < 2:
        return "Para contar las imágenes que solo acierta uno de los modelos hacen falta los dos."
    (name, ours), (other, theirs) = predictions.items()
    test = mcnemar(y, ours, theirs)
    if not test.b + test.c:
        return f"Con esta semilla, los dos modelos aciertan las mismas imágenes de las {number(len(y), 0)} de prueba."
    error = max(standard_error(float(np.mean(found == y)), len(y)) for found in (ours, theirs))
    return (
        f"Con esta semilla, el modelo {name} acierta {plural(test.b, 'imagen', 'imágenes')} que el otro falla, y el "
        f"{other}, {plural(test.c, 'imagen', 'imágenes')} (McNemar, {p_text(test.p_value)}). Sobre {number(len(y), 0)} "
        f"imágenes, el error estándar de la exactitud es, como mucho, de {number(100 * error, 2)} puntos."
    )


def _bounds(paired: Comparison, decimals: int, scale: float = 1) -> str:
    return f", {bounds(paired, decimals, scale)}" if np.isfinite(paired.low) else ""
