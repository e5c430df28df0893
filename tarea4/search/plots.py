"""Un estudio de hiperparámetros en figuras; los números que dibujan son los de `tarea4.search.reading`."""

import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator

from tarea4.report import drawing
from tarea4.report.words import number
from tarea4.search.reading import front
from tarea4.search.spaces import LABELS, shown

LOSS, GREY = drawing.quantity("val_loss")[0], "#999999"


@drawing.STYLED
def heatmap(losses: pd.DataFrame, together: dict[str, list[str]]) -> Figure:
    """Pérdida de validación de una rejilla (`grid_losses`), con nombres de `varied_together`; la menor, recuadrada."""
    texts = losses.map(lambda loss: "" if np.isnan(loss) else number(loss)).to_numpy()
    cell = max((drawing.WIDTH - 1) / len(losses.columns), 0.08 * max(map(len, texts.flat)))
    figure, [axis] = drawing.axes_grid(1, 1, cell * len(losses.columns) + 1, 1.2 + 0.45 * len(losses))
    names = [[shown(values.name, value) for value in values] for values in (losses.index, losses.columns)]
    norm = PowerNorm(0.5, losses.min(axis=None), losses.max(axis=None))  # distingue las buenas
    drawing.cells(axis, losses.to_numpy(), texts, *names, norm, "cividis", cell)
    row, column = np.argwhere(losses.to_numpy() == norm.vmin)[0]
    axis.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor="#D55E00", lw=3, clip_on=False))
    x, y = (" = ".join(LABELS[name] for name in together[values.name]) for values in (losses.columns, losses.index))
    axis.set(xlabel=x, ylabel=y, title=LOSS)
    return figure


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
