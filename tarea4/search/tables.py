"""Un estudio, y lo guardado de «Más allá», en frases y en tablas."""

from collections.abc import Callable

import optuna
import pandas as pd
from IPython.display import HTML, Markdown

from tarea4.report.html import table
from tarea4.report.words import days, mean_and_spread, number, plural
from tarea4.search.reading import front
from tarea4.search.run import FINISHED
from tarea4.search.spaces import LABELS, SPACES, shown


def study_table(trials: pd.DataFrame, n: int = 10) -> HTML:
    """Los `n` primeros ensayos, que son los de menor pérdida de validación, con sus hiperparámetros."""
    best = trials.head(n).dropna(axis=1, how="all")
    texts = {name: [shown(name, value) for value in best[name]] for name in LABELS if name in best}
    frame = pd.DataFrame({LABELS[name].capitalize(): values for name, values in texts.items()})
    return table(frame, "Los mejores ensayos del estudio, de menor a mayor pérdida de validación")


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


def studies_summary(studies: dict[str, optuna.Study], trials: dict[str, pd.DataFrame]) -> str:
    """Lo de `study_summary`, en una lista de los estudios que tienen ensayos."""
    told = {name: study_summary(study, trials[name]) for name, study in studies.items() if len(trials[name])}
    lines = [f"- {name}: {SPACES[name].title}. {summary}" for name, summary in told.items()]
    return "\n".join(lines) or "Los estudios no tienen ensayos con estos datos: `n_trials` los corre."


def grid_table(losses: pd.DataFrame) -> pd.DataFrame:
    """Los números de un mapa de calor, de `tarea4.search.reading.grid_losses`."""
    rows, columns = ([shown(values.name, value) for value in values] for values in (losses.index, losses.columns))
    texts = losses.map(number, na_action="ignore").set_axis(rows).set_axis(columns, axis=1)
    return texts.rename_axis(f"{LABELS[losses.index.name]} \\ {LABELS[losses.columns.name]}").reset_index()


def front_table(trials: pd.DataFrame) -> pd.DataFrame:
    """Los ensayos del frente de Pareto, de menos a más parámetros."""
    best = front(trials)
    sizes = [number(n, 0) for n in best["parameters"]]
    return pd.DataFrame({"Parámetros": sizes, "Pérdida": best["val_loss"].map(number)})


def when_enough(trials: pd.DataFrame, n: int, show: Callable[[], HTML | Markdown]) -> HTML | Markdown:
    """Lo que devuelve `show`, o por qué no se enseña si el estudio tiene menos de `n` ensayos terminados."""
    few = f"El estudio tiene {plural(len(trials), 'ensayo')} con estos datos, y hacen falta {n}: `n_trials`."
    return show() if len(trials) >= n else Markdown(few)


def beyond_summary(further: pd.DataFrame) -> str:
    """Cuándo y con qué se hicieron los resultados guardados por `tarea4.search.beyond`, en una frase."""
    if further.empty:
        return "No hay resultados guardados: `make mas-alla` los hace."
    versions = sorted({f"Keras {each['keras']} y TensorFlow {each['tensorflow']}" for each in further["versions"]})
    return (
        f"{plural(len(further), 'entrenamiento')}, {days(pd.to_datetime(further['date']))}, con "
        f"{' o '.join(versions)}: {number(further['seconds'].sum() / 3600, 1)} horas de entrenamiento en total."
    )


def beyond_table(further: pd.DataFrame) -> HTML:
    """Por receta: lo medido en prueba, parámetros, semillas, épocas y segundos."""
    caption = "Lo que dan las recetas de «Más allá», media y desviación típica de las semillas"
    return _by_recipe(further, caption, lambda group: {
        "Exactitud en prueba (%)": mean_and_spread(group["test_accuracy"], 2, 100),
        "Pérdida en prueba": mean_and_spread(group["test_loss"]), "Parámetros": number(group["parameters"].iloc[0], 0),
        "Semillas": len(group), "Épocas": len(group["history"].iloc[0]["val_loss"]),
        "ECE": mean_and_spread(group["ece"]), "Segundos por semilla": mean_and_spread(group["seconds"], 0),
    })  # fmt: skip


def digit_errors_table(further: pd.DataFrame) -> HTML:
    """Por receta, los fallos en prueba de cada clase, media de las semillas."""
    return _by_recipe(further, "Fallos en prueba por dígito verdadero, media de las semillas", lambda group: {
        str(i): number(n, 1) for i, n in pd.DataFrame(group["errors"].tolist()).mean().items()
    })  # fmt: skip


def _by_recipe(further: pd.DataFrame, caption: str, row: Callable[[pd.DataFrame], dict]) -> HTML:
    groups = [] if further.empty else further.groupby("model", sort=False)
    return table(pd.DataFrame([{"Receta": name} | row(group) for name, group in groups]), caption)
