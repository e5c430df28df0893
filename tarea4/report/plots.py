"""Las figuras de los capítulos. Cada función devuelve la figura sin mostrarla."""

import itertools
import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from tarea4.evaluation import measured_senses
from tarea4.report.claims import by_epoch
from tarea4.report.drawing import (
    COLOURS,
    OTHER_COLOURS,
    STYLED,
    WIDTH,
    FewLogLocator,
    axes_grid,
    cells,
    class_labels,
    comma,
    legend,
    new_figure,
    quantity,
    with_colours,
)
from tarea4.report.words import SPLITS, number, scientific
from tarea4.statistics import Calibration, mean_interval
from tarea4.training import SENSES, Run

LINES = {"": ":x", "train_": "--o", "val_": "-s"}  # con marca si hay pocas épocas: sin ella, una sola no se vería


@STYLED
def curves(runs_by_name: dict[str, list[Run]], metric: str = "loss", *, threshold: float | None = None) -> Figure:
    """Media y franja de las semillas por época; `threshold`, en las unidades de `Run.history`; rombos, lo elegido."""
    if metric not in ("loss", "accuracy"):
        raise ValueError(f"metric: se recibió {metric!r} y se admite 'loss' o 'accuracy'.")
    label, scale = quantity(metric)
    figure, axis = new_figure(3.7, log=metric == "loss", xlabel="época", ylabel=label)
    everyone = [run for runs in runs_by_name.values() for run in runs]
    n_epochs = max(len(run.history[metric]) for run in everyone)
    lines = {prefix: LINES[prefix][: None if n_epochs <= 15 else -1] for prefix in measured_senses(everyone)}
    for prefix, line in lines.items():
        axis.plot([], [], line, color="black", label=SENSES[prefix])
    axis.plot([], [], "D", color="white", markeredgecolor="black", label="época elegida")
    lowest, later = [], [] if threshold is None else [scale * threshold]  # en todas las épocas, y tras el primer décimo
    for name, runs, colour, _ in with_colours(runs_by_name):
        axis.plot([], [], color=colour, lw=8, label=name)
        for prefix, line in lines.items():
            table = scale * by_epoch(runs, prefix + metric)
            _band(axis, table, line, colour)
            lowest.append(table.min(axis=None))
            later += table[n_epochs // 10 :].agg(["min", "max"]).to_numpy().ravel().tolist()
        chosen = [(run.best_epoch, scale * run.best(f"val_{metric}")) for run in runs]
        later += [value for _, value in chosen]
        axis.plot(*zip(*chosen, strict=True), "D", color=colour, markeredgecolor="black", zorder=3)
    if threshold is not None:
        axis.axhline(scale * threshold, color="black", lw=1, label=f"umbral: {comma(scale * threshold)}")
    if metric == "accuracy" and min(lowest) < (low := np.nanmin(later)):  # con ellas, lo demás sería una raya
        pad = 0.05 * (np.nanmax(later) - low)
        axis.set_ylim(low - pad, np.nanmax(later) + pad)
        axis.text(0.99, 0.03, "las primeras épocas quedan debajo", transform=axis.transAxes, ha="right", fontsize=9)
    axis.set_xlim(0.5, n_epochs + 0.5)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    return legend(figure, ncols=2)


def _band(axis, table: pd.DataFrame, line: str, colour: str, label: str | None = None) -> None:
    axis.plot(table.index, table.mean(axis=1), line, color=colour, label=label)
    axis.fill_between(table.index, table.min(axis=1), table.max(axis=1), color=colour, alpha=0.15, lw=0)


@STYLED
def confusion_matrices(
    matrices: dict[str, np.ndarray], names: Sequence[str] = (), *, columns: int = 1, as_in_2020: bool = False
) -> Figure:
    """Matrices (k, k), hasta `columns` por fila, con `names` o de 0 a k - 1; el color deja ver lo raro."""
    norm, colours = (Normalize(0, 100), "jet") if as_in_2020 else (PowerNorm(0.4, 0, 100), "Blues")
    k = len(next(iter(matrices.values())))
    names, side = class_labels(names, k), float(np.clip(0.36 * k, 3, 6))
    figure, axes = axes_grid(len(matrices), columns, side + 0.8, side + 1.5)
    for axis, (name, matrix) in zip(axes, matrices.items(), strict=True):
        share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        texts = np.where(matrix > 0, matrix.astype(str), "")
        mesh = cells(axis, share, texts, names, norm, colours, side / k)
        axis.set(title=name, xlabel="clase predicha", ylabel="clase verdadera", aspect="equal")
    ticks = [0, 10, 50, 100] if as_in_2020 else [0, 1, 10, 50, 100]
    figure.colorbar(mesh, ax=axes, location="bottom", aspect=40, ticks=ticks, label="% de la clase")
    return figure


@STYLED
def digits(images: np.ndarray, y: np.ndarray, probabilities: np.ndarray, names: Sequence[str] = ()) -> Figure:
    """Imágenes (m, alto, ancho), su clase `y` (m,) y la que la red lee, según `probabilities` (m, k); m puede ser 0."""
    names, columns = class_labels(names, probabilities.shape[1]), 4
    side = WIDTH / columns
    figure, axes = axes_grid(len(images), columns, side, side * images.shape[1] / images.shape[2] + 0.55)
    for axis, image, label, row in zip(axes, images, y, probabilities, strict=True):
        axis.imshow(image, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        title = f"es {names[label]}, lee {names[row.argmax()]}\n{comma(100 * row.max(), '.1f')} %"
        axis.set(xticks=[], yticks=[], title=title)
    if not axes:
        figure.text(0.5, 0.5, "ninguna imagen", ha="center")
    return figure


@STYLED
def first_layers(weights: dict[str, np.ndarray]) -> Figure:
    """Los pesos (m, alto, ancho) de la primera capa de cada red, una imagen por unidad y un solo color para todas."""
    columns = 5  # más no se verían en un teléfono
    limit = max(float(np.quantile(np.abs(each), 0.999)) for each in weights.values())
    rows = -(-max(map(len, weights.values())) // columns)
    height, width = np.add(next(iter(weights.values())).shape[1:], 2)  # con un píxel de margen
    figure, axes = axes_grid(len(weights), 2, WIDTH / 2, WIDTH / 2 * rows * height / (columns * width) + 0.5)
    for axis, (name, each) in zip(axes, weights.items(), strict=True):
        tiles = np.full((rows * columns, height, width), np.nan)
        tiles[: len(each), 1:-1, 1:-1] = each
        mosaic = tiles.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, -1)
        mesh = axis.imshow(mosaic, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        axis.set(title=name, xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    figure.colorbar(mesh, ax=axes, location="bottom", aspect=40, label="peso", format=lambda value, _: comma(value))
    return figure


@STYLED
def reliability(calibrations: dict[str, Calibration]) -> Figure:
    """Diagrama de fiabilidad: exactitud frente a confianza por tramos; la mancha de un punto crece con sus imágenes."""
    figure, axis = new_figure(3.9, xlabel="confianza (%)", ylabel="exactitud (%)")
    axis.plot([0, 100], [0, 100], color="black", lw=1, label="calibración perfecta")
    for name, (bins, ece), colour, marker in with_colours(calibrations):
        points = 100 * bins["confidence"], 100 * bins["accuracy"]
        axis.plot(*points, color=colour, marker=marker, markersize=4, label=f"{name} (ECE {comma(ece, '.4f')})")
        axis.scatter(*points, 200 * bins["count"] / bins["count"].sum(), color=colour, marker=marker, alpha=0.4)
    return legend(figure)


@STYLED
def intervals(table: pd.DataFrame, metric: str, *, references: dict[str, float] | None = None) -> Figure:
    """Una columna de `results` por red: semillas, media e intervalo t; `references` van en las unidades de la tabla."""
    label, scale = quantity(metric)
    by_model = {name: scale * rows[metric] for name, rows in table.groupby("model", sort=False)}
    figure, axis = new_figure(1.2 + 0.5 * len(by_model), xlabel=label)
    for row, (_, values, colour, marker) in enumerate(with_colours(by_model)):
        mean, low, high = mean_interval(values)
        axis.plot(values, np.full(len(values), row + 0.25), "o", color=colour, alpha=0.5, markersize=4)
        axis.plot(mean, row, marker, color=colour, markersize=8)
        if np.isfinite([low, high]).all():
            axis.plot([low, high], [row, row], color=colour, lw=2.5)
    for (name, value), line in zip((references or {}).items(), itertools.cycle(("--", ":", "-."))):
        axis.axvline(scale * value, color="black", linestyle=line, label=f"{name}: {comma(scale * value)}")
    axis.set_yticks(range(len(by_model)), [textwrap.fill(name, 18) for name in by_model])
    axis.set_ylim(len(by_model) - 0.5, -0.5)
    return legend(figure)


@STYLED
def sweep(tables: dict[str, pd.DataFrame], xlabel: str, metric: str = "val_loss", *, scale="linear", references=()):
    """Media y franja de las semillas de una métrica, según lo que cambia: un valor por fila y una semilla por columna.

    `scale` es la del eje horizontal: "linear", "log" (los dos ejes) o "alpha", logarítmica con sitio para el 0.
    `references`, pares de nombre y valor de la métrica.
    """
    label, factor = quantity(metric)
    figure, axis = new_figure(3.5, log=metric.endswith("loss") or scale == "log", xlabel=xlabel, ylabel=label)
    for name, table, colour, marker in with_colours(tables):
        _band(axis, factor * table.sort_index(), f"-{marker}", colour, name)
    for (name, value), line in zip(references, itertools.cycle(("--", ":", "-."))):
        axis.axhline(factor * value, color="black", linestyle=line, label=f"{name}: {_short(factor * value)}")
    decades = [np.log10(value) for table in tables.values() for value in table.index if value > 0]
    if scale == "alpha" and decades:
        first, last = int(np.floor(min(decades))), int(np.ceil(max(decades)))
        axis.set_xscale("symlog", linthresh=10.0**first, linscale=(last - first + 1) / 12)
        exponents = range(first, last + 1, max(1, (last - first) // 6))
        axis.set_xticks([0, *(10.0**e for e in exponents)], ["0", *(f"$10^{{{e}}}$" for e in exponents)])
        axis.xaxis.set_minor_locator(NullLocator())
    elif scale == "log":
        _log_ticks(axis)
    return legend(figure, ncols=2)


@STYLED
def gap(gaps: dict[str, pd.DataFrame]) -> Figure:
    """Brecha por época (filas) y semilla (columnas) de cada red: media y franja, y en la última época, su número."""
    figure, axis = new_figure(3.2, xlabel="época", ylabel="pérdida de validación\nmenos de entrenamiento (nats)")
    axis.axhline(0, color="black", lw=1)
    for name, table, colour, marker in with_colours(gaps):
        _band(axis, table, f"-{marker}" if len(table) <= 15 else "-", colour, name)
        last = table.iloc[-1].mean()
        axis.annotate(f" {comma(last, '+.2f')}", (len(table), last), color=colour, va="center", annotation_clip=False)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    return legend(figure, ncols=2)


def _short(value: float) -> str:
    return scientific(value) if 0 < value < 1e-3 else number(value, 0) if value >= 1000 else comma(value, ".4g")


def _log_ticks(axis) -> None:
    axis.set_xscale("log")
    for numbers in (axis.xaxis, axis.yaxis):
        numbers.set(major_locator=FewLogLocator(), minor_locator=NullLocator())
        numbers.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


@STYLED
def diagonal(found: pd.DataFrame) -> Figure:
    """La pérdida de cada ajuste al buscar (`search`) y con semillas nuevas (`fresh`); sobre la diagonal, empeora."""
    labels = {"xlabel": "pérdida de validación al buscar", "ylabel": "pérdida de validación,\nsemillas nuevas"}
    figure, axis = new_figure(4.2, log=True, **labels)
    _log_ticks(axis)
    axis.plot(found["search"], found["fresh"], "o", color=OTHER_COLOURS[0], alpha=0.6, label="un ajuste")
    best = found.loc[found["search"].idxmin()]
    axis.plot(*best, "D", color=COLOURS["dropout"], markeredgecolor="black", label="el elegido")
    axis.axline((best["search"],) * 2, (2 * best["search"],) * 2, color="black", lw=1, label="igual que al buscar")
    return legend(figure, ncols=3)


def lines(drawn: dict[str, pd.DataFrame], **labels) -> Figure:
    """Una línea por columna de cada tabla, frente a su índice, y un color por tabla; `labels`, como `Axes.set`."""
    figure, axis = new_figure(3.9, **labels)
    for name, table, colour, marker in with_colours(drawn):
        axis.plot([], [], color=colour, marker=marker, label=name)
        axis.plot(table.index, table, color=colour, marker=marker, markersize=4, markevery=0.1, lw=1)
    return legend(figure)


@STYLED
def steps(measured: pd.DataFrame, metric: str) -> Figure:
    """Una fila por modelo: sus semillas, su media y su desviación típica, en validación y en prueba."""
    label, scale = quantity(metric)
    names = list(measured["model"].unique())
    figure, axis = new_figure(1.2 + 0.42 * len(names), xlabel=label)
    for side, (split, title, colour, marker) in enumerate(with_colours(SPLITS)):
        by_model = scale * measured.set_index("model")[f"{split}_{metric}"]
        shift, style = 0.34 * side - 0.17, {"color": colour, "markersize": 5, "capsize": 3, "label": title}
        axis.plot(by_model, [names.index(name) + shift for name in by_model.index], ".", color=colour, alpha=0.4)
        groups = by_model.groupby(level=0, sort=False)
        axis.errorbar(groups.mean(), np.arange(len(names)) + shift, xerr=groups.std(), fmt=marker, **style)
    axis.set_yticks(range(len(names)), [textwrap.fill(name, 22) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)
    return legend(figure, ncols=2)
