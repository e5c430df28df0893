"""Los estudios guardados, sus puntos y los pasos de la atribución, en frases y en tablas."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import optuna
import pandas as pd
from IPython.display import HTML, Markdown

from tarea4.data import Dataset
from tarea4.report.html import table
from tarea4.report.q5 import MEASURES_2020, inside, placed
from tarea4.report.words import days, layers, mean_and_spread, number, percent, plural, verdict
from tarea4.search import reading, stages
from tarea4.search.order import ORDERS
from tarea4.search.recipes import Recipe
from tarea4.search.run import FINISHED
from tarea4.search.spaces import LABELS, SIZES_2020, shown
from tarea4.search.stages import BATCHES, NETWORKS_2020, PAIR, RECIPES, SPACES, SPLITS, STEPS
from tarea4.statistics import compare
from tarea4.training import Run

NOTHING = Markdown("Esto se hizo con MNIST y 50 épocas: con otros datos o menos épocas, no hay nada que enseñar.")
# Con qué se compara cada receta de «Más allá»: con la que su nombre dice antes de la coma o, si no, con el último paso.
BEYOND = {name: name.rpartition(", ")[0] or STEPS[-1] for name in RECIPES}


def when_stored(trials: pd.DataFrame | pd.Series, show: Callable[[], HTML | Markdown]) -> HTML | Markdown:
    """Lo que devuelve `show` o, si no hay ensayos porque los guardados son de otros datos, una frase que lo dice."""
    return show() if len(trials) else NOTHING


def study_table(trials: pd.DataFrame, n: int = 10) -> HTML:
    """Los `n` primeros ensayos, que son los de menor pérdida de validación, con sus hiperparámetros."""
    best = trials.head(n).dropna(axis=1, how="all")
    columns = {LABELS[name].capitalize(): [shown(name, x) for x in best[name]] for name in LABELS if name in best}
    return table(pd.DataFrame(columns), "Los mejores ensayos del estudio, de menor a mayor pérdida de validación")


def study_summary(study: optuna.Study, trials: pd.DataFrame) -> str:
    """Cuántos ensayos terminaron y cuántos se podaron, cuándo, con qué versiones y en cuánto tiempo, en una frase."""
    pruned = trials["pruned"].sum()
    pruned = "ninguno podado" if not pruned else f"{pruned} de ellos podado{'s' if pruned > 1 else ''}"
    versions = [trial.user_attrs["versions"] for trial in study.get_trials(deepcopy=False, states=FINISHED)]
    keras, tensorflow = (" o ".join(sorted({each[name] for each in versions})) for name in ("keras", "tensorflow"))
    hours, minutes = divmod(round(trials["seconds"].sum() / 60), 60)
    duration = f"{number(hours, 0)} h y {minutes} min" if hours else f"{minutes} min"
    finished = f"{'Terminó' if len(trials) == 1 else 'Terminaron'} {plural(len(trials), 'ensayo')}, {pruned}"
    using = f"con Keras {keras} y TensorFlow {tensorflow}: {duration} de entrenamiento en total."
    return f"{finished}, {days(trials['date'])}, {using}"


def studies_table(caption: str) -> HTML:
    """Por estudio guardado: qué es, sus entrenamientos, cuántos se podaron, la menor pérdida y las horas."""
    rows = []
    for name, space in SPACES.items():
        trials = reading.trials_table(reading.published(name))
        counts = [len(trials), trials["pruned"].sum(), trials.loc[0, "parameters"]]
        hours = number(trials["seconds"].sum() / 3600, 1)
        rows.append((name, space.title, number(trials.loc[0, "val_loss"]), *(number(n, 0) for n in counts), hours))
    titles = ["Estudio", "Qué prueba", "Menor pérdida", "Entrenamientos", "Podados", "Parámetros del mejor", "Horas"]
    return table(pd.DataFrame(rows, columns=titles), caption)


def totals() -> str:
    """Cuánto se ha probado en todos los estudios guardados, también lo que se descartó, y lo que costó."""
    studies = (reading.trials_table(reading.published(name)) for name in SPACES)
    trials = pd.concat(study[["trained", "pruned", "seconds"]] for study in studies)
    settings = plural(trials["trained"].nunique(), "configuración distinta", "configuraciones distintas")
    ended = f"los descartados y {plural(trials['pruned'].sum(), 'podado')}"
    hours = number(trials["seconds"].sum() / 3600, 1)
    return f"{plural(len(trials), 'entrenamiento')} de {settings}, contados {ended}: {hours} horas"


def points_table(found: pd.DataFrame) -> pd.DataFrame:
    """Lo medido en los `points` de una rejilla, de menor a mayor pérdida."""
    means = [f"{number(row.val_loss)} ±\N{NO-BREAK SPACE}{number(row.spread)}" for row in found.itertuples()]
    columns = {"Parámetros": [number(n, 0) for n in found["parameters"]], "Pérdida de validación": means}
    columns |= {"Mejor época": [number(n, 0) for n in found["best_epoch"]], "Semillas": found["n"]}
    first = found.columns[0]
    return pd.DataFrame({LABELS.get(first, first).capitalize(): found[first]} | columns)


def finalists_table(finalists: pd.DataFrame, trials: pd.DataFrame, caption: str) -> HTML:
    """De cada finalista, lo que dio en la búsqueda y lo que da con las semillas que eligen."""
    found = reading.points(finalists, ["trial"])
    first = found["trial"].map(trials.set_index("number")["val_loss"]).map(number)
    frame = points_table(found.rename(columns={"trial": "Ensayo"}).astype({"Ensayo": int}))
    return table(frame.assign(**{"Pérdida en la búsqueda, con una semilla": first}), caption)


def like_q4(recipe: Recipe, setting: dict[str, float]) -> Recipe:
    """La red de Q4 con las capas de una receta, dicha como receta para ver en qué difieren."""
    return Recipe(recipe.hidden_sizes, **setting, batch_norm="solo la primera capa", epochs=recipe.epochs)


def changed(recipe: Recipe, reference: Recipe) -> dict[str, tuple[str, str]]:
    """Por campo en que dos recetas difieren, lo que dice la primera y lo que dice la otra."""
    ours, theirs = (
        {LABELS[name]: layers(x) if name == "hidden_sizes" else shown(name, x) for name, x in vars(each).items()}
        for each in (recipe, reference)
    )
    return {name: (told, theirs[name]) for name, told in ours.items() if told != theirs[name]}


def recipe_table(recipe: Recipe, reference: Recipe, caption: str) -> HTML:
    rows = [(name.capitalize(), theirs, ours) for name, (ours, theirs) in changed(recipe, reference).items()]
    return table(pd.DataFrame(rows, columns=["Qué", "De partida", "Receta"]), caption)


def steps(data: Dataset) -> pd.DataFrame:
    """Los pasos de la atribución y las recetas de «Más allá», en su orden: `model`, `seed` y lo medido."""
    stored = {name: reading.stored(name, data) for name in ("atribucion", "mas-alla")}
    found = pd.concat(table.rename(columns={"step": "model", "recipe": "model"}) for table in stored.values())
    order = [*STEPS, *RECIPES]
    return found.sort_values(["model", "seed"], key=lambda c: c.map(order.index) if c.name == "model" else c)


def references(setting: dict[str, float]) -> dict[str, str]:
    """De cada paso, el anterior; el de las capas, el de las alfas solo si el ajuste de Q4 las lleva."""
    before = dict(zip(STEPS[1:], STEPS, strict=False))
    return before if setting["alpha_l1"] + setting["alpha_l2"] else before | {"+ capas": "+ dropout"}


def steps_table(measured: pd.DataFrame, caption: str) -> HTML:
    """Lo medido en cada paso de `steps`."""
    by_model = measured.groupby("model", sort=False)
    shown = {"Parámetros": by_model["parameters"].first().map(lambda n: number(n, 0))}
    shown["Pérdida, validación"] = by_model["val_loss"].agg(mean_and_spread)
    shown["Pérdida, prueba"] = by_model["test_loss"].agg(mean_and_spread)
    shown["Exactitud (%), prueba"] = by_model["test_accuracy"].agg(mean_and_spread, 2, 100)
    return table(pd.DataFrame(shown).rename_axis("Red").reset_index(), caption)


def changes_table(data: Dataset, caption: str) -> HTML:
    """Con qué se compara cada paso de `steps` y en qué difiere."""
    winner, trained, rows = reading.q4_winner(data), stages.steps(data) | RECIPES, []
    recipes = {name: each for name, each in trained.items() if isinstance(each, Recipe)}
    compared = references(winner) | BEYOND
    recipes["+ capas"] = like_q4(recipes["+ ruido y optimizador"], winner)
    recipes[compared["+ capas"]] = replace(recipes["+ capas"], hidden_sizes=[*map(int, SIZES_2020.split("-"))])
    for name, other in compared.items():
        change = "lo que dice su nombre"
        if {name, other} <= recipes.keys():
            told = changed(recipes[name], recipes[other]).items()
            change = "; ".join(f"{k}: {ours}" for k, (ours, _) in told) or "nada: se eligió lo que ya había"
        rows.append((name, other, change))
    return table(pd.DataFrame(rows, columns=["Red", "Frente a", "Qué cambia"]), caption)


def digit_errors_table(measured: pd.DataFrame, caption: str) -> HTML:
    """Por red, los fallos en prueba de cada clase, media de las semillas."""
    by_digit = pd.DataFrame(measured["errors"].tolist()).groupby(measured["model"].to_numpy(), sort=False).mean()
    return table(by_digit.map(number, decimals=1).rename_axis("Red").reset_index(), caption)


def orders(data: Dataset) -> pd.DataFrame:
    """Los entrenamientos del estudio `orden`: `model`, `seed`, lo medido y `last_loss`, la última de validación."""
    trials = reading.stored("orden", data).rename(columns={"order": "model"})
    found = trials.assign(last_loss=[history["val_loss"][-1] for history in trials["history"]])
    return found.sort_values(["model", "seed"], key=lambda c: c.map(ORDERS.index) if c.name == "model" else c)


def orders_table(measured: pd.DataFrame, caption: str) -> HTML:
    columns = {"val_loss": "Pérdida de validación, mejor época", "last_loss": "Pérdida de validación, última época"}
    columns |= {"test_loss": "Pérdida de prueba", "test_accuracy": "Exactitud (%), prueba"}
    by_order = measured.assign(test_accuracy=100 * measured["test_accuracy"]).groupby("model", sort=False)
    shown = {label: by_order[name].agg(mean_and_spread, 2 if "%" in label else 4) for name, label in columns.items()}
    return table(pd.DataFrame(shown).rename_axis("Entrenamiento").reset_index(), caption)


def orders_reading(measured: pd.DataFrame, *, brief: bool = False) -> str:
    """Si el orden fijo da más pérdida que el nuevo, al final y en prueba, y, si no es `brief`, si este libro da otra.

    Se comparan por semillas: con la misma, los tres entrenamientos parten de los mismos pesos.
    """
    fixed, new, ours = ORDERS
    names = {fixed: "el orden fijo", new: "el orden nuevo", ours: "la función de este libro"}
    return " ".join(
        verdict(names[one], names[other], "loss", compare(measured, one, other, column), where)
        for column, where in (("last_loss", "en la última época, en validación,"), ("test_loss", "en prueba"))
        for one, other in ((fixed, new), (ours, new))[: 1 if brief else 2]
    )


def recorded(data: Dataset) -> dict[tuple[str, int], list[Run]]:
    """Los entrenamientos del estudio «registro», por red y tamaño del lote, en el orden en que se diseñaron."""
    found = reading.runs_by_point(reading.stored("registro", data), ["network", "batch_size"])
    return {key: found[key] for key in itertools.product(NETWORKS_2020, BATCHES) if key in found}


def recorded_table(found: dict[tuple[str, int], list[Run]], caption: str) -> HTML:
    """Por red (filas) y tamaño del lote (columnas), cuántas cifras del registro de 2020 podría haber dado."""
    counts = pd.Series({key: f"{inside(runs)} de {len(MEASURES_2020)}" for key, runs in found.items()})
    by_batch = counts.unstack(fill_value="—").reindex([net for net in NETWORKS_2020 if net in counts.index])
    return table(by_batch.add_prefix("lotes de ").rename_axis("Red").reset_index(), caption)


def splits(data: Dataset) -> pd.DataFrame:
    """La media de las semillas por reparto (filas) y por medida y red (columnas) del estudio «reparto»."""
    measures = ["val_loss", "val_accuracy", "test_accuracy"]
    means = reading.stored("reparto", data).pivot_table(index="split", columns="network", values=measures)
    return means.reindex(index=[split for split in SPLITS if split in means.index])


def splits_table(means: pd.DataFrame, caption: str) -> HTML:
    shown = {"val_loss": ("Pérdida, validación", number), "val_accuracy": ("Exactitud, validación", percent)}
    shown |= {"test_accuracy": ("Exactitud, prueba", percent)}
    columns = {f"{what} ({net})": means[key][net].map(show) for key, (what, show) in shown.items() for net in PAIR}
    frame = pd.DataFrame(columns).rename(index=lambda split: split.replace(" ", "\N{NO-BREAK SPACE}"))
    return table(frame.rename_axis("Validan").reset_index(), caption)


def splits_reading(means: pd.DataFrame) -> str:
    """Cuánto cambia la exactitud de cada red si validan otras imágenes, y si cambia cuál de las dos valida mejor.

    Los intervalos son de predicción: dónde caería un reparto al azar más, con las mismas semillas.
    """
    (simple, other), (last, *drawn), accuracy = PAIR, means.index, means["val_accuracy"]
    gain = means["val_loss"][other] - means["val_loss"][simple]
    shown = " y ".join(f"{percent(accuracy[net][last])} con «{net}»" for net in PAIR)
    expected = " y ".join(placed(accuracy[net][last], accuracy[net][drawn], percent)[0] for net in PAIR)
    return (
        f"Si validan las últimas imágenes, la exactitud en validación es {shown}; con otro reparto al azar caería, 95 "
        f"veces de cada 100, en {expected}. «{other}» da menos pérdida de validación que «{simple}» en "
        f"{(gain < 0).sum()} de {plural(len(gain), 'reparto')}: con las últimas, la diferencia es de "
        f"{number(gain[last])}, y con otro caería en {placed(gain[last], gain[drawn])[0]}."
    )
