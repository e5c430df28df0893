"""Un estudio de hiperparámetros en figuras, tabla y resumen; los ensayos son los de `tarea4.studies.trials_table`."""

from collections.abc import Callable, Iterable
from datetime import date

import numpy as np
import optuna
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator

from tarea4.plots import STYLED, WIDTH, _cells, _comma, _figure, _grid, _legend, _LogLocator, _quantity, _with_colours
from tarea4.report import number, percent, plural, scientific, table
from tarea4.search import FINISHED
from tarea4.spaces import alpha

LABELS = {
    "number": "ensayo",
    "parameters": "parámetros",
    "val_loss": "pérdida",
    "val_accuracy": "exactitud",
    "epochs": "épocas",
    "n_layers": "capas ocultas",
    "width": "unidades de la capa 1",
    **{f"ratio_{i}": f"razón capa {i} / capa {i - 1}" for i in range(2, 6)},
    "activation": "activación",
    "batch_norm": "normalización por lotes",
    "dropout": "dropout de la entrada",
    "dropout_hidden": "dropout interior",
    "noise": "ruido de la entrada",
    "noise_hidden": "ruido interior",
    "log10_alpha_l1": "alfa de l1",
    "log10_alpha_l2": "alfa de l2",
    "learning_rate": "tasa de aprendizaje",
    "weight_decay": "decaimiento de pesos",
    "schedule": "plan de la tasa",
    "batch_size": "tamaño del lote",
}
MONTHS = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio",
    "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
)  # fmt: skip
LOSS, GREY = _quantity("val_loss")[0], "#999999"


@STYLED
def heatmap(trials: pd.DataFrame, grid: list[dict[str, float]], x: str, y: str) -> Figure:
    """Pérdida de validación de una rejilla según dos de sus hiperparámetros; la menor va recuadrada.

    De los ensayos solo cuentan los de `grid`, una lista de puntos como `tarea4.spaces.GRID`; el que falta, por podado
    o por no terminado, queda en blanco. Los demás hiperparámetros que varíen con `y` o con `x` se nombran con él.

    Raises
    ------
    ValueError
        Si ningún ensayo es de la rejilla.
    """
    points = pd.DataFrame(grid, dtype=float)
    found = points.merge(trials[~trials["pruned"]], how="left")
    if found["val_loss"].isna().all():
        raise ValueError(f"trials: entre {len(trials)} ensayos no hay ninguno sin podar de los {len(grid)} de `grid`.")
    losses = found.pivot_table("val_loss", y, x, dropna=False)
    texts = losses.map(lambda loss: "" if np.isnan(loss) else number(loss)).to_numpy()
    cell = max((WIDTH - 1) / len(losses.columns), 0.08 * max(map(len, texts.flat)))
    figure, [axis] = _grid(1, 1, cell * len(losses.columns) + 1, 1.2 + 0.45 * len(losses))
    names = [[_text(values.name, value) for value in values] for values in (losses.index, losses.columns)]
    norm = PowerNorm(0.5, losses.min(axis=None), losses.max(axis=None))  # distingue las buenas
    _cells(axis, losses.to_numpy(), texts, *names, norm, "cividis", cell)
    row, column = np.argwhere(losses.to_numpy() == norm.vmin)[0]
    axis.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor="#D55E00", lw=3, clip_on=False))
    together = {z: " = ".join(LABELS[name] for name in points if points[name].equals(points[z])) for z in (x, y)}
    axis.set(xlabel=together[x], ylabel=together[y], title=LOSS)
    return figure


@STYLED
def importances(values: dict[str, float]) -> Figure:
    """Importancia de cada hiperparámetro, de mayor a menor, según `optuna.importance.get_param_importances`."""
    ranked = pd.Series(values).sort_values()
    figure, axis = _figure(0.8 + 0.28 * len(ranked), xlabel="importancia (%)")
    bars = axis.barh(range(len(ranked)), 100 * ranked, color="#0072B2")
    axis.bar_label(bars, [_comma(100 * value, ".1f") for value in ranked], padding=3)
    axis.set_yticks(range(len(ranked)), [LABELS[name] for name in ranked.index])
    axis.margins(x=0.15, y=0.01)
    axis.grid(visible=False, axis="y")
    axis.set_axisbelow(True)
    return figure


def front(trials: pd.DataFrame) -> pd.DataFrame:
    """Los ensayos que ningún otro mejora a la vez en parámetros y en pérdida, de menos a más parámetros."""
    ordered = trials.dropna(subset="val_loss").sort_values(["parameters", "val_loss"])
    smaller = ordered["val_loss"].cummin().shift(fill_value=np.inf)
    return ordered[ordered["val_loss"] < smaller].reset_index(drop=True)


@STYLED
def pareto(trials: pd.DataFrame, references: dict[str, tuple[int, float]] | None = None) -> Figure:
    """Pérdida de validación frente a parámetros de todos los ensayos, con su frente de Pareto.

    `references` marca otras redes: por nombre, sus parámetros y su pérdida.
    """
    figure, axis = _figure(3.7, log=True, xlabel="miles de parámetros (en escala logarítmica)", ylabel=LOSS)
    _scatter(axis, trials, "parameters")
    best = front(trials)
    widest = trials["parameters"].max()
    steps = [*best["parameters"], widest], [*best["val_loss"], best["val_loss"].iloc[-1]]
    own = list(range(len(best)))  # el último peldaño solo lo alarga
    axis.step(*steps, "ko-", where="post", markersize=4, markevery=own, label="frente de Pareto")
    for name, (parameters, loss), colour, marker in _with_colours(references or {}):
        label = f"{name}: {number(loss)}, con {number(parameters, 0)} parámetros"
        axis.plot(parameters, loss, marker, color=colour, markeredgecolor="black", markersize=9, label=label)
    axis.set_xscale("log")
    thousands = FuncFormatter(lambda value, _: _comma(value / 1000))
    axis.xaxis.set(major_locator=_LogLocator(), minor_locator=NullLocator(), major_formatter=thousands)
    _legend(figure)
    return figure


def study_table(trials: pd.DataFrame, n: int = 10) -> HTML:
    """Los `n` ensayos de menor pérdida de validación, con sus hiperparámetros."""
    best = trials.head(n).dropna(axis=1, how="all")
    shown = {LABELS[name]: [_text(name, value) for value in best[name]] for name in LABELS if name in best}
    frame = pd.DataFrame(shown).rename(columns=lambda label: label[0].upper() + label[1:])
    return table(frame, "Los mejores ensayos del estudio, de menor a mayor pérdida de validación")


def study_summary(study: optuna.Study, trials: pd.DataFrame) -> str:
    """Cuántos ensayos terminaron y cuántos se podaron, cuándo, con qué versiones y en cuánto tiempo, en una frase."""
    pruned = trials["pruned"].sum()
    pruned = "ninguno podado" if not pruned else f"{pruned} de ellos podado{'s' if pruned > 1 else ''}"
    versions = [trial.user_attrs["versions"] for trial in study.get_trials(deepcopy=False, states=FINISHED)]
    keras, tensorflow = (" o ".join(sorted({each[name] for each in versions})) for name in ("keras", "tensorflow"))
    hours, minutes = divmod(round(trials["seconds"].sum() / 60), 60)
    duration = f"{number(hours, 0)} h y {minutes} min" if hours else f"{minutes} min"
    when = days(trials["date"])
    return (
        f"{'Terminó' if len(trials) == 1 else 'Terminaron'} {plural(len(trials), 'ensayo')}, {pruned}, {when}, "
        f"con Keras {keras} y TensorFlow {tensorflow}: {duration} de entrenamiento en total."
    )


def days(dates: Iterable[date]) -> str:
    """Cuándo empezó y cuándo acabó algo: «el 3 de mayo de 2026», o «entre el 3 de mayo de 2026 y el...»."""
    dates = list(dates)
    first, last = (f"el {day.day} de {MONTHS[day.month - 1]} de {day.year}" for day in (min(dates), max(dates)))
    return first if first == last else f"entre {first} y {last}"


def when_enough(trials: pd.DataFrame, n: int, show: Callable[[], HTML | Markdown]) -> HTML | Markdown:
    """Lo que devuelve `show`, o por qué no se enseña si el estudio tiene menos de `n` ensayos terminados."""
    if len(trials) >= n:
        return show()
    return Markdown(f"El estudio tiene {plural(len(trials), 'ensayo')} con estos datos, y hacen falta {n}: `n_trials`.")


def _scatter(axis: Axes, trials: pd.DataFrame, x: str) -> None:
    """Un punto por ensayo, hueco si se podó."""
    for pruned, rows in trials.groupby("pruned"):
        label, fill = ("podado", "none") if pruned else ("ensayo", GREY)
        axis.plot(rows[x], rows["val_loss"], "o", color=GREY, mfc=fill, markersize=4, alpha=0.7, label=label)


def _text(name: str, value) -> str:
    """Lo que vale una columna de los ensayos, como se lee; un exponente de alfa, como la alfa."""
    if pd.isna(value):
        return "—"
    if name.startswith("log10_"):
        return scientific(alpha(value))
    if isinstance(value, str | bool | np.bool_):
        return value if isinstance(value, str) else ("sí" if value else "no")
    if name in ("val_loss", "val_accuracy"):
        return number(value) if name == "val_loss" else percent(value)
    if float(value).is_integer():
        return number(value, 0)
    return scientific(value) if abs(value) < 1e-4 else _comma(value, ".3g")
