"""Un estudio de hiperparámetros en figuras; los números que dibujan son los de `tarea4.search.reading`."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from tarea4.report import drawing
from tarea4.report.words import number
from tarea4.search.reading import front

LOSS, GREY = drawing.quantity("val_loss")[0], "#999999"


@drawing.STYLED
def pareto(trials: pd.DataFrame, measured: pd.DataFrame) -> Figure:
    """Pérdida frente a parámetros: los ensayos, su frente de Pareto y la media de cada modelo de unos `results`."""
    labels = {"xlabel": "miles de parámetros (en escala logarítmica)", "ylabel": LOSS, "xscale": "log"}
    figure, axis = drawing.new_figure(3.7, log=True, **labels)
    for pruned, rows in trials.groupby("pruned"):
        label, fill = ("podado", "none") if pruned else ("ensayo", GREY)
        axis.plot(rows["parameters"], rows["val_loss"], "o", color=GREY, mfc=fill, markersize=4, alpha=0.7, label=label)
    best = front(trials)
    steps = [*best["parameters"], trials["parameters"].max()], [*best["val_loss"], best["val_loss"].iloc[-1]]
    own = list(range(len(best)))  # el último peldaño solo lo alarga
    axis.step(*steps, "ko-", where="post", markersize=4, markevery=own, label="frente de Pareto")
    means = measured.groupby("model", sort=False)[["parameters", "val_loss"]].mean()
    for name, (parameters, loss), colour, marker in drawing.with_colours(dict(means.iterrows())):
        label = f"{name}: {number(loss)}, con {number(parameters, 0)} parámetros"
        axis.plot(parameters, loss, marker, color=colour, markeredgecolor="black", markersize=9, label=label)
    thousands = FuncFormatter(lambda value, _: drawing.comma(value / 1000))
    axis.xaxis.set(major_locator=drawing.FewLogLocator(), minor_locator=NullLocator(), major_formatter=thousands)
    drawing.legend(figure)
    return figure
