"""Figuras del informe, con un solo estilo y un color por red. Cada función devuelve la figura sin mostrarla."""

import io
import itertools
import textwrap

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from tarea4.evaluation import SENSES, Calibration, mean_interval, measured_senses
from tarea4.training import Run

# Los distingue quien no distingue rojo y verde: M. Okabe y K. Ito, "Color universal design", 2008.
COLOURS = {"simple": "#0072B2", "regularizado": "#D55E00", "dropout": "#D55E00"}  # según empiece el nombre
OTHER_COLOURS = ("#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vPX"  # siete con cinco colores: 35 redes antes de repetir
WIDTH = 5.2  # pulgadas: en un teléfono de 360 px la letra queda cerca de 10 px
LINES = {"": ":x", "train_": "--o", "val_": "-s"}
SPLITS = {"": "", "train": " de entrenamiento", "val": " de validación", "test": " de prueba"}
QUANTITIES = {"seconds": "tiempo (s)", "parameters": "parámetros", "best_epoch": "época elegida", "epochs": "épocas"}
# El fondo es blanco también en una página oscura, y con `hashsalt` los mismos datos dan el mismo archivo.
STYLED = rc_context({"font.size": 11, "axes.titlesize": 11, "figure.facecolor": "white", "svg.hashsalt": "tarea4"})


class ReportFigure(Figure):
    """Figura que un cuaderno muestra como SVG, sin pyplot ni su estado."""

    @STYLED  # los números de los ejes nacen al dibujar
    def savefig(self, *args, **options) -> None:
        super().savefig(*args, **options)

    def _repr_svg_(self) -> str:
        file = io.StringIO()
        self.savefig(file, format="svg", dpi=200, metadata={"Date": None})
        return file.getvalue()


@STYLED
def curves(runs_by_name: dict[str, list[Run]], metric: str = "loss", *, threshold: float | None = None) -> Figure:
    """Pérdida ("loss", en escala logarítmica) o exactitud ("accuracy") por época, en los `SENSES` que se midieron.

    Cada línea es la media de las semillas y su franja va de la menor a la mayor; si unas se detuvieron antes, siguen
    las demás. Un rombo por semilla marca su época elegida. `threshold` va en las unidades de `Run.history`.
    """
    if metric not in ("loss", "accuracy"):
        raise ValueError(f"metric: se recibió {metric!r} y se admite 'loss' o 'accuracy'.")
    label, scale = _quantity(metric)
    figure, axis = _figure(3.7, log=metric == "loss", xlabel="época", ylabel=label)
    everyone = [run for runs in runs_by_name.values() for run in runs]
    n_epochs = max(len(run.history[metric]) for run in everyone)
    # Una curva de una época no se ve sin marcas; muchas marcas estorban.
    lines = {prefix: LINES[prefix][: None if n_epochs <= 15 else -1] for prefix in measured_senses(everyone)}
    for prefix, line in lines.items():
        axis.plot([], [], line, color="black", label=SENSES[prefix])
    axis.plot([], [], "D", color="white", markeredgecolor="black", label="época elegida")
    for name, runs, colour, _ in _with_colours(runs_by_name):
        axis.plot([], [], color=colour, lw=8, label=name)
        for prefix, line in lines.items():
            by_epoch = scale * pd.concat([pd.Series(run.history[prefix + metric]) for run in runs], axis=1)
            _band(axis, by_epoch.set_axis(by_epoch.index + 1), line, colour)
        chosen = [(run.best_epoch, scale * run.best(f"val_{metric}")) for run in runs]
        axis.plot(*zip(*chosen, strict=True), "D", color=colour, markeredgecolor="black", zorder=3)
    if threshold is not None:
        axis.axhline(scale * threshold, color="black", lw=1, label=f"umbral: {_comma(scale * threshold)}")
    axis.set_xlim(0.5, n_epochs + 0.5)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    _legend(figure, ncols=2)
    return figure


@STYLED
def confusion_matrices(matrices: dict[str, np.ndarray], *, columns: int = 1, as_in_2020: bool = False) -> Figure:
    """Matrices de confusión (k, k), hasta `columns` por fila, con las imágenes de cada celda en número (vacía si es 0).

    El color es el porcentaje de la clase verdadera, en una escala que deja ver las confusiones raras. Con tantas
    clases que los números no se leerían, queda solo el color. `as_in_2020` usa el mapa jet y su escala lineal.
    """
    norm, colours = (Normalize(0, 100), "jet") if as_in_2020 else (PowerNorm(0.4, 0, 100), "Blues")
    k = len(next(iter(matrices.values())))
    names = [str(i) for i in range(k)]
    side = float(np.clip(0.36 * k, 3, 6))
    figure, axes = _grid(len(matrices), columns, side + 0.8, side + 1.5)
    for axis, (name, matrix) in zip(axes, matrices.items(), strict=True):
        share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        texts = np.where(matrix > 0, matrix.astype(str), "")
        mesh = _cells(axis, share, texts, names, names, norm, colours, side / k)
        axis.set(title=name, xlabel="clase predicha", ylabel="clase verdadera", aspect="equal")
    figure.colorbar(mesh, ax=axes, location="bottom", aspect=40, ticks=[0, 1, 10, 50, 100], label="% de la clase")
    return figure


@STYLED
def digits(images: np.ndarray, y: np.ndarray, probabilities: np.ndarray, *, columns: int = 4) -> Figure:
    """Imágenes (m, alto, ancho), su clase `y` (m,) y la que la red lee, según `probabilities` (m, k); m puede ser 0."""
    side = WIDTH / columns
    figure, axes = _grid(len(images), columns, side, side * images.shape[1] / images.shape[2] + 0.55)
    for axis, image, label, row in zip(axes, images, y, probabilities, strict=True):
        axis.imshow(image, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        axis.set(xticks=[], yticks=[], title=f"es {label}, lee {row.argmax()}\n{_comma(100 * row.max(), '.1f')} %")
    if not axes:
        figure.text(0.5, 0.5, "ninguna imagen", ha="center")
    return figure


@STYLED
def reliability(calibrations: dict[str, Calibration]) -> Figure:
    """Diagrama de fiabilidad: exactitud frente a confianza por tramos; la mancha de un punto crece con sus imágenes."""
    figure, axis = _figure(3.9, xlabel="confianza (%)", ylabel="exactitud (%)")
    axis.plot([0, 100], [0, 100], color="black", lw=1, label="calibración perfecta")
    for name, (bins, ece), colour, marker in _with_colours(calibrations):
        points = 100 * bins["confidence"], 100 * bins["accuracy"]
        axis.plot(*points, color=colour, marker=marker, markersize=4, label=f"{name} (ECE {_comma(ece, '.4f')})")
        axis.scatter(*points, 200 * bins["count"] / bins["count"].sum(), color=colour, marker=marker, alpha=0.4)
    _legend(figure)
    return figure


@STYLED
def intervals(table: pd.DataFrame, metric: str, *, references: dict[str, float] | None = None) -> Figure:
    """Una columna de `results` por red: las semillas (puntos claros), su media y el intervalo t del 95 %, si lo hay.

    `references` marca valores con su nombre, como los de 2020, en las unidades de la tabla.
    """
    label, scale = _quantity(metric)
    by_model = {name: scale * rows[metric] for name, rows in table.groupby("model", sort=False)}
    figure, axis = _figure(1.2 + 0.5 * len(by_model), xlabel=label)
    for row, (_, values, colour, marker) in enumerate(_with_colours(by_model)):
        mean, low, high = mean_interval(values)
        axis.plot(values, np.full(len(values), row + 0.25), "o", color=colour, alpha=0.5, markersize=4)
        axis.plot(mean, row, marker, color=colour, markersize=8)
        if np.isfinite([low, high]).all():
            axis.plot([low, high], [row, row], color=colour, lw=2.5)
    for (name, value), line in zip((references or {}).items(), itertools.cycle(("--", ":", "-."))):
        axis.axvline(scale * value, color="black", linestyle=line, label=f"{name}: {_comma(scale * value)}")
    axis.set_yticks(range(len(by_model)), [textwrap.fill(name, 18) for name in by_model])
    axis.set_ylim(len(by_model) - 0.5, -0.5)
    _legend(figure)
    return figure


@STYLED
def alpha_curve(tables: dict[str, pd.DataFrame], metric: str = "val_loss") -> Figure:
    """Métrica frente a alfa, 0 incluido: media de las semillas y franja de la menor a la mayor.

    Cada tabla tiene un alfa por fila (el índice) y una semilla por columna, en las unidades de `Run.history`.
    """
    label, scale = _quantity(metric)
    figure, axis = _figure(3.5, log=metric.endswith("loss"), xlabel="alfa (en escala logarítmica)", ylabel=label)
    for name, table, colour, marker in _with_colours(tables):
        _band(axis, scale * table.sort_index(), f"-{marker}", colour, name)
    decades = [np.log10(alpha) for table in tables.values() for alpha in table.index if alpha > 0]
    if decades:
        first, last = int(np.floor(min(decades))), int(np.ceil(max(decades)))
        axis.set_xscale("symlog", linthresh=10.0**first, linscale=(last - first + 1) / 12)
        exponents = range(first, last + 1, max(1, (last - first) // 6))
        axis.set_xticks([0, *(10.0**e for e in exponents)], ["0", *(f"$10^{{{e}}}$" for e in exponents)])
        axis.xaxis.set_minor_locator(NullLocator())
    _legend(figure, ncols=2)
    return figure


def _figure(height: float, *, log: bool = False, **labels: str) -> tuple[Figure, Axes]:
    figure = ReportFigure(figsize=(WIDTH, height), layout="constrained")
    axis = figure.subplots()
    axis.set(**labels, yscale="log" if log else "linear")
    if log:
        axis.yaxis.set(major_locator=_LogLocator(), minor_locator=NullLocator())
    for numbers in (axis.xaxis, axis.yaxis):
        numbers.set_major_formatter(FuncFormatter(lambda value, _: _comma(value)))
    axis.grid(color="#dddddd")
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


class _LogLocator(LogLocator):
    def tick_values(self, vmin, vmax):
        # En menos de una década, 1, 2 y 5 son pocos números; en más de dos no caben.
        locator = MaxNLocator(3) if vmax < 7 * vmin else LogLocator(subs=(1, 2, 5) if vmax < 100 * vmin else (1,))
        return locator.tick_values(vmin, vmax)


def _legend(figure: Figure, ncols: int = 1) -> None:
    """Leyenda bajo los ejes, en menos columnas y más renglones si no cabe a lo ancho; la figura crece lo que ocupa."""
    handles, names = figure.axes[0].get_legend_handles_labels()
    for columns, width in [(ncols, 99), *((1, width) for width in range(99, 0, -1))]:
        figure.legends.clear()
        labels = [textwrap.fill(name, width) for name in names]
        legend = figure.legend(handles, labels, ncols=columns, loc="outside lower center", frameon=False)
        if legend.get_window_extent().width < 0.96 * figure.bbox.width:  # las letras miden algo más en un SVG
            break
    figure.set_figheight(figure.get_figheight() + legend.get_window_extent().height / figure.dpi)


def _grid(n: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    columns = min(n, columns) or columns
    rows = -(-n // columns)
    figure = ReportFigure(figsize=(columns * width, max(1, rows) * height), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(n)]


def _band(axis: Axes, table: pd.DataFrame, line: str, colour: str, label: str | None = None) -> None:
    axis.plot(table.index, table.mean(axis=1), line, color=colour, label=label)
    axis.fill_between(table.index, table.min(axis=1), table.max(axis=1), color=colour, alpha=0.15, lw=0)


def _cells(axis, values, texts, rows, columns, norm: Normalize, cmap: str, width: float):
    """Celdas de color con su texto, blanco o negro según el fondo; `width`, en pulgadas (una cifra ocupa 0,1)."""
    mesh = axis.pcolormesh(values, norm=norm, cmap=cmap, edgecolors="white", lw=0.5, rasterized=values.size > 900)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    axis.invert_yaxis()
    for numbers, labels in ((axis.yaxis, rows), (axis.xaxis, columns)):
        step = -(-len(labels) // 25)
        numbers.set_ticks(np.arange(len(labels))[::step] + 0.5, labels[::step])
    axis.tick_params(axis="x", rotation=90 if 0.1 * max(map(len, columns)) > width * step else 0)
    font_size = min(10, 100 * width / max(1, *map(len, texts.flat)))
    luminance = mesh.cmap(norm(values))[..., :3] ** 2.2 @ [0.2126, 0.7152, 0.0722]
    for (row, column), text in np.ndenumerate(texts):
        if text and font_size >= 6:
            colour = "white" if luminance[row, column] < 0.18 else "black"
            axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=font_size, color=colour)
    return mesh


def _with_colours(items: dict):
    """Nombre, valor, color y marca de cada red: la primera de cada familia lleva el suyo; las demás, por orden."""
    own, others = dict(COLOURS), itertools.cycle(OTHER_COLOURS)
    for (name, value), marker in zip(items.items(), itertools.cycle(MARKERS)):
        family = next((family for family in own if name.startswith(family)), None)
        yield name, value, own.pop(family, None) or next(others), marker


def _quantity(metric: str) -> tuple[str, float]:
    """Rótulo de una columna, con su unidad, y factor por el que se dibuja; una desconocida se rotula sola."""
    split, _, quantity = metric.rpartition("_")
    if quantity == "accuracy":
        return f"exactitud{SPLITS[split]} (%)", 100
    if quantity == "loss":
        return f"pérdida{SPLITS[split]}\n(entropía cruzada, nats)", 1
    return QUANTITIES.get(metric, metric), 1


def _comma(value: float | str, spec: str = "g") -> str:
    return value if isinstance(value, str) else format(value, spec).replace(".", ",")
