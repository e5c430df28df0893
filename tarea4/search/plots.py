"""Un estudio de hiperparámetros en figuras; los números que dibujan son los de `tarea4.search.reading`."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from tarea4.report import drawing
from tarea4.search.reading import front


@drawing.STYLED
def pareto(found: pd.DataFrame, budget: int) -> Figure:
    """Pérdida frente a parámetros de los `points` de una rejilla de capas, su frente y el límite, con las mejores."""
    labels = {"xlabel": "miles de parámetros (en escala logarítmica)", "ylabel": drawing.quantity("val_loss")[0]}
    figure, axis = drawing.new_figure(4, log=True, xscale="log", **labels)
    style = {"fmt": "o", "color": "#999999", "markersize": 4, "elinewidth": 1}
    axis.errorbar("parameters", "val_loss", "spread", data=found, label="red: media y desviación", **style)
    best = front(found)
    axis.step("parameters", "val_loss", "ko-", data=best, where="post", markersize=5, label="frente de Pareto")
    for row in pd.concat([best[best["parameters"] <= budget].tail(1), best.tail(1)]).drop_duplicates().itertuples():
        axis.annotate(row.hidden_sizes, (row.parameters, row.val_loss), (3, -4), textcoords="offset points", va="top")
    axis.axvline(budget, color="#D55E00", linestyle="--", label="parámetros de 2020")
    thousands = FuncFormatter(lambda value, _: drawing.comma(value / 1000))
    axis.xaxis.set(major_locator=drawing.FewLogLocator(), minor_locator=NullLocator(), major_formatter=thousands)
    return drawing.legend(figure, ncols=2)
