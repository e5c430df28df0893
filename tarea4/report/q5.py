"""Q5: otras capas y otra receta. Sus parámetros, su respuesta, qué aporta cada paso y lo que dio 2020, juzgado hoy."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tarea4.evaluation import best_model
from tarea4.report.claims import Answer, Claim, by_epoch, compared, judged
from tarea4.report.parameters import Alpha, Rate, Sizes, Studied, meaning
from tarea4.report.words import mean_and_spread, number, percent, phrased, plural, scientific, verdict
from tarea4.statistics import compare, prediction_interval
from tarea4.training import Run

# Lo que imprimió Keras en 2020, época por época.
LOG_2020 = pd.DataFrame(
    {"loss": [0.0681, 0.0706, 0.0671, 0.0663, 0.0661], "accuracy": [0.9777, 0.9770, 0.9784, 0.9783, 0.9785],
     "val_loss": [0.0658, 0.0720, 0.0745, 0.0705, 0.0719], "val_accuracy": [0.9822, 0.9807, 0.9780, 0.9798, 0.9817]},
    index=range(23, 28),
)  # fmt: skip
MEASURES_2020 = {"loss": "Pérdida corriente, entrenamiento", "accuracy": "Exactitud corriente, entrenamiento"}
MEASURES_2020 |= {"val_loss": "Pérdida, validación", "val_accuracy": "Exactitud, validación"}
SHOWN = {metric: percent if metric.endswith("accuracy") else number for metric in MEASURES_2020}
L1_2020, ALPHA_2020 = 1.55e-05, 70e-15  # la penalización que enseñaba su barra en la época 23, y su alfa
PRINTED_2020, BIGGEST_2020 = 34_535, 34_775  # parámetros del resumen que imprimió, y de «Try 02»
EFFECTS = ("mejora", "parece que mejora"), ("empeora", "parece que empeora"), "no se nota"
MOVES = ("baja", "parece bajar"), ("sube", "parece subir"), "no cambia de modo que se note"
BEATEN = ("superado", "parece superado"), ("no alcanzado", "no parece alcanzado"), "no se distinguen"


class Parameters(Studied):
    dropout: Rate | None = meaning("tasa de dropout de la red de partida; None es la de Q4")
    alpha_l1: Alpha | None = meaning("factor de su penalización l1; None es el de Q4")
    alpha_l2: Alpha | None = meaning("factor de su penalización l2; None es el de Q4")
    hidden_sizes: Sizes | None = meaning(
        "otras capas que se prueban con ese ajuste; None son las mejores de la rejilla"
    )


def answer(measured: pd.DataFrame, base: str, layers: str | None, recipe: str) -> Answer:
    """Qué se gana al cambiar solo las capas, si hay otras, y qué al cambiar también la receta, en validación."""
    tried = [("cambiar solo las capas", layers)] if layers else []
    tried, against = [*tried, ("cambiar también la receta", recipe)], (base, f"la {base}")
    told = [judged(measured, "val_loss", (name, f"la red {name}"), against) for _, name in tried]
    effects = [phrased(each.outcome, each.p_value, *EFFECTS) for each in told]
    said = "; ".join(f"{what} {effect}" for (what, _), effect in zip(tried, effects, strict=True))
    within = measured.loc[measured["model"].isin([layers, recipe]), "parameters"].max() <= BIGGEST_2020
    said = f"sin pasar de los parámetros de 2020, {said}" if within else said
    said = said if measured["seed"].nunique() > 1 else "con una sola semilla no se sabe qué se gana"
    best = best_model(measured[measured["model"].isin([base, layers, recipe])])
    errors = 100 - 100 * measured.set_index("model")["test_accuracy"]
    wrong, start = (mean_and_spread(errors[[name]], 2) for name in (best, base))
    than = f"; la de partida, {base}, en {start}" if best != base else ", y es la de partida"
    text = f"La mejor de las entrenadas aquí, {best}, se equivoca en {wrong} de cada 100 imágenes de prueba{than}."
    return Answer(said, " ".join([f"**{said[0].upper()}{said[1:]}.** {text}", *(each.said for each in told)]))


def expectation(found: float, fresh: Sequence[float]) -> str:
    """Lo que un ensayo prometió en la búsqueda, y lo que da con semillas que no lo eligieron."""
    change = float(np.mean(fresh)) - found
    return (
        f"En la búsqueda dio una pérdida de validación de {number(found)}; con las semillas de este cuaderno, "
        f"{mean_and_spread(fresh)}: {number(abs(change))} {'más' if change > 0 else 'menos'}."
    )


def steps_reading(measured: pd.DataFrame, references: dict[str, str]) -> str:
    """Qué pasos cambian la pérdida frente al suyo de `references`, del que más la baja al que más la sube."""
    by_seed = measured.pivot(index="seed", columns="model", values="val_loss")
    same = [name for name, other in references.items() if by_seed[name].equals(by_seed[other])]
    pairs = [pair for pair in references.items() if pair[0] not in same]
    changes, seeds = compared(measured, pairs).sort_values("difference"), len(by_seed)
    moved, parts = [phrased(row.outcome, row.holm, *MOVES) for row in changes.itertuples()], []
    for what in (*MOVES[0], *MOVES[1], MOVES[2]):
        chosen = changes[np.equal(moved, what)]
        found = ", ".join(f"«{row.model}» ({number(row.difference)})" for row in chosen.itertuples())
        parts += [f"{what} con {found}"] if found else []
    return (
        f"En {plural(len(changes), 'paso')}, comparado cada uno con el anterior ({plural(seeds, 'semilla')}) y con los "
        f"valores p corregidos por ser varios, la pérdida de validación, en nats, {'; '.join(parts)}."
        + "".join(f" «{name}» no cambia nada: se eligió lo que ya había." for name in same)
    )


def placed(figure: float, values: Sequence[float], show=number) -> tuple[str, str]:
    """El intervalo donde caería un valor más, y si una cifra suelta está dentro.

    Es «por poco» si lo que se ignora de la desviación típica, y con ella del borde, bastaría para lo contrario.
    """
    mean, low, high = prediction_interval(values)
    if not np.isfinite([low, high]).all():
        return "(no hay intervalo con una semilla)", "no se sabe si dentro"
    where = "dentro" if low <= figure <= high else "fuera"
    doubt = (high - mean) / np.sqrt(2 * (np.size(values) - 1))
    where += ", por poco" if abs(abs(figure - mean) - (high - mean)) < doubt else ""
    return f"[{show(low)}; {show(high)}]", where


def log_table(runs_by_name: dict[str, list[Run]], log: pd.DataFrame = LOG_2020) -> pd.DataFrame:
    """La media de las épocas que 2020 registró, y el intervalo donde caería un entrenamiento más de cada red."""
    rows = {f"2020, épocas {log.index[0]} a {log.index[-1]}": [SHOWN[name](log[name].mean()) for name in MEASURES_2020]}
    rows |= {name: [*map(": ".join, logged(runs, log).values())] for name, runs in runs_by_name.items()}
    found = pd.DataFrame.from_dict(rows, orient="index", columns=MEASURES_2020.values())
    return found.rename_axis("Red").reset_index()


def logged(runs: list[Run], log: pd.DataFrame = LOG_2020) -> dict[str, tuple[str, str]]:
    """Por medida de un registro, dónde caería su media con un entrenamiento más, y si la del registro está dentro."""
    today = {metric: by_epoch(runs, metric).loc[log.index].mean() for metric in MEASURES_2020}
    return {metric: placed(log[metric].mean(), values, SHOWN[metric]) for metric, values in today.items()}


def inside(runs: list[Run], log: pd.DataFrame = LOG_2020) -> int:
    """Cuántas medidas de un registro están donde caería un entrenamiento más."""
    return sum(where.startswith("dentro") for _, where in logged(runs, log).values())


def log_reading(found: dict[tuple[str, int], list[Run]], log: pd.DataFrame = LOG_2020) -> str:
    """Qué redes y tamaños de lote podrían haber dejado un registro: los que tienen dentro más cifras suyas."""
    counts = {f"{name}, lotes de {n}": inside(runs, log) for (name, n), runs in found.items()}
    most = max(counts.values())
    fitting = [name for name, n in counts.items() if n == most]
    if most == len(MEASURES_2020):
        said = f"De las {len(counts)} combinaciones, {plural(len(fitting), 'da', 'dan')} todas las cifras del registro"
    else:
        said = f"Ninguna de las {len(counts)} combinaciones da todas las cifras del registro; las que más dan, {most}"
    return f"{said}: {'; '.join(fitting)}."


def claims(measured: pd.DataFrame, best: str, old: str, parameters: Sequence[int], runs: list[Run]) -> list[Claim]:
    """Lo que 2020 imprimió, frente a lo que dan su receta (`old`), «Try 02» (`parameters`, `runs`) y el mejor de hoy.

    `parameters` son los de «Try 02» y los de la red de `old`; `runs`, entrenamientos de «Try 02» con sus penas.
    """
    made, then = [], measured[measured["model"] == old]
    for name, figure, column in (("pérdida", 0.0800, "test_loss"), ("exactitud", 0.9752, "test_accuracy")):
        where, inside = placed(figure, then[column], number if name == "pérdida" else percent)
        seeds = f"{where} 95 veces de cada 100 ({plural(len(then), 'semilla')})"
        evidence = f"Otro entrenamiento de la red del resumen caería en {seeds}."
        side, *near = inside.split(", ")
        judgement = ", ".join([f"{side} de lo que da su receta", *near])
        made.append(Claim(f"Da {name} {number(figure)} en prueba", evidence, judgement))
    found = judged(measured, "test_accuracy", (best, f"el mejor de los entrenados aquí ({best})"), (old, "el de 2020"))
    made.append(Claim("Es el mejor modelo que se obtuvo", found.said, phrased(found.outcome, found.p_value, *BEATEN)))
    code, variant = (number(n, 0) for n in parameters)
    evidence = f"El código de «Try 02» construye una red de {code}; sin su segunda capa de 15 son {variant}."
    same = "es de la red del código" if parameters[0] == PRINTED_2020 else "no es de la red del código"
    made.append(Claim(f"El resumen cuenta {number(PRINTED_2020, 0)} parámetros", evidence, same))
    l1, l2 = (float(np.mean([run.history[name][: LOG_2020.index[0]][-1] for run in runs])) for name in ("l1", "l2"))
    evidence = (
        f"Con sus alfas, «Try 02» da l1 = {scientific(l1)} y l2 = {scientific(l2)}; para dar aquella l1, la suya "
        f"tendría que ser {scientific(ALPHA_2020 * L1_2020 / l1)} (tantas veces menos como imágenes tuviera el "
        f"lote, si Keras no dividía entre ellas), y no {scientific(ALPHA_2020)}."
    )
    near = "sale de sus alfas" if 0.1 < l1 / L1_2020 < 10 else "no sale de sus alfas"
    return [*made, Claim("La barra de progreso enseña l1 = 1.55e-05 y l2 = 0.0", evidence, near)]


def affordable(explored: pd.DataFrame) -> str:
    """El mejor de los que no pasan de los parámetros de «Try 02»; si todos pasan, el menor."""
    return best_model(explored[explored["parameters"] <= max(BIGGEST_2020, explored["parameters"].min())])


def shapes_reading(shapes: pd.DataFrame, affordable: pd.DataFrame, base: str) -> str:
    """Cuál es la mejor forma de red, dentro de los parámetros de 2020 y sin límite, y dónde queda la de partida."""
    place = list(affordable["hidden_sizes"]).index(base) + 1 if base in set(affordable["hidden_sizes"]) else None
    where = f"; la de partida, {base}, es la {place}.ª" if place and place > 1 else ""
    small, large = (
        f"{best['hidden_sizes']} ({number(best['val_loss'])})" for best in (affordable.iloc[0], shapes.iloc[0])
    )
    return (
        f"De las {len(affordable)} formas que no pasan de los parámetros de 2020, la de menor pérdida media es {small}"
        f"{where}. Sin ese límite, entre {len(shapes)}, es {large}."
    )


def training_reading(measured: pd.DataFrame, base: str, recipe: str) -> str:
    """Si la otra receta baja los dos errores que pedía la pregunta, el de entrenamiento y el de validación."""
    senses = {"train_loss": "en entrenamiento, evaluada sin dropout,", "val_loss": "en validación"}
    names = f"la red {recipe}", f"la {base}", "loss"
    return " ".join(verdict(*names, compare(measured, recipe, base, c), where) for c, where in senses.items())
