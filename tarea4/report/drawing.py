"""Con qué se dibujan las figuras: un estilo, un color por red, ejes con coma decimal y leyendas que caben."""

import io
import itertools
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

# Los distingue quien no distingue rojo y verde: M. Okabe y K. Ito, "Color universal design", 2008.
COLOURS = {"simple": "#0072B2", "regularizado": "#D55E00", "dropout": "#D55E00"}  # según empiece el nombre
OTHER_COLOURS = ("#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vPX"  # siete con cinco colores: 35 redes antes de repetir
WIDTH = 5.2  # pulgadas: en un teléfono de 360 px la letra queda cerca de 10 px
QUANTITIES = {"seconds": "tiempo (s)", "parameters": "parámetros", "best_epoch": "época elegida", "epochs": "épocas"}
for split, of in {"": "", "train_": " de entrenamiento", "val_": " de validación", "test_": " de prueba"}.items():
    QUANTITIES |= {f"{split}accuracy": f"exactitud{of} (%)", f"{split}loss": f"pérdida{of}\n(entropía cruzada, nats)"}
# El fondo es blanco (una página oscura invierte la figura), y con `hashsalt` los mismos datos dan el mismo archivo.
STYLED = rc_context({"font.size": 11, "axes.titlesize": 11, "figure.facecolor": "white", "svg.hashsalt": "tarea4"})


class ReportFigure(Figure):  # un cuaderno la muestra como SVG, sin pyplot ni su estado
    @STYLED  # los números de los ejes nacen al dibujar
    def _repr_svg_(self) -> str:
        file = io.StringIO()
        self.savefig(file, format="svg", dpi=200, metadata={"Date": None})
        return file.getvalue()


class FewLogLocator(LogLocator):  # en menos de una década, 1, 2 y 5 son pocas marcas; en más de dos no caben
    def tick_values(self, vmin, vmax):
        locator = MaxNLocator(3) if vmax < 7 * vmin else LogLocator(subs=(1, 2, 5) if vmax < 100 * vmin else (1,))
        return locator.tick_values(vmin, vmax)


def new_figure(height: float, *, log: bool = False, **labels: str) -> tuple[Figure, Axes]:
    """Figura de un solo par de ejes, con sus rótulos; `log` hace logarítmico el vertical."""
    figure = ReportFigure(figsize=(WIDTH, height), layout="constrained")
    axis = figure.subplots()
    axis.set(**labels, yscale="log" if log else "linear")
    if log:
        axis.yaxis.set(major_locator=FewLogLocator(), minor_locator=NullLocator())
    for numbers in (axis.xaxis, axis.yaxis):
        numbers.set_major_formatter(FuncFormatter(lambda value, _: comma(value)))
    axis.grid(color="#dddddd")
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def axes_grid(n: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Figura de `n` ejes iguales, de `width` por `height` pulgadas, en filas de hasta `columns`."""
    columns = min(n, columns) or columns
    rows = -(-n // columns)
    figure = ReportFigure(figsize=(columns * width, max(1, rows) * height), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(n)]


def legend(figure: Figure, ncols: int = 1) -> Figure:
    """La figura con su leyenda bajo los ejes, en más renglones si no cabe a lo ancho; crece lo que la leyenda ocupa."""
    handles, names = figure.axes[0].get_legend_handles_labels()
    for columns, width in [(ncols, 99), *((1, width) for width in range(99, 0, -1))]:
        figure.legends.clear()
        labels = [textwrap.fill(name, width) for name in names]
        legend = figure.legend(handles, labels, ncols=columns, loc="outside lower center", frameon=False)
        if legend.get_window_extent().width < 0.96 * figure.bbox.width:  # las letras miden algo más en un SVG
            break
    figure.set_figheight(figure.get_figheight() + legend.get_window_extent().height / figure.dpi)
    return figure


def cells(axis, values, texts, names, norm, cmap: str, width: float):
    """Celdas de color con su texto, blanco o negro según el fondo; `width`, en pulgadas (un dígito ocupa 0,1)."""
    mesh = axis.pcolormesh(values, norm=norm, cmap=cmap, edgecolors="white", lw=0.5, rasterized=values.size > 900)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    axis.invert_yaxis()
    step = -(-len(names) // 25)
    for numbers in (axis.yaxis, axis.xaxis):
        numbers.set_ticks(np.arange(len(names))[::step] + 0.5, names[::step])
    axis.tick_params(axis="x", rotation=90 if 0.1 * max(map(len, names)) > width * step else 0)
    font_size = min(10, 100 * width / max(1, *map(len, texts.flat)))
    luminance = mesh.cmap(norm(values))[..., :3] ** 2.2 @ [0.2126, 0.7152, 0.0722]
    for i, j in np.argwhere(texts != "") if font_size >= 6 else ():
        colour = "white" if luminance[i, j] < 0.18 else "black"
        axis.text(j + 0.5, i + 0.5, texts[i, j], color=colour, ha="center", va="center", fontsize=font_size)
    return mesh


def class_labels(names: Sequence[str], k: int) -> list[str]:
    """Los nombres de las clases, o de 0 a k - 1, como caben en una figura y sin que un $ empiece una fórmula."""
    return [f"{name:.14}".replace("$", r"\$") for name in map(str, names or range(k))]


def with_colours(items: dict) -> Iterator[tuple]:
    """Nombre, valor, color y marca de cada red: la primera de cada familia lleva el suyo; las demás, por orden."""
    own, others = dict(COLOURS), itertools.cycle(OTHER_COLOURS)
    for (name, value), marker in zip(items.items(), itertools.cycle(MARKERS)):
        family = next((family for family in own if name.startswith(family)), None)
        yield name, value, own.pop(family, None) or next(others), marker


def quantity(metric: str) -> tuple[str, float]:
    """Rótulo de una columna, con su unidad, y factor por el que se dibuja; una desconocida se rotula sola."""
    return QUANTITIES.get(metric, metric), 100 if metric.endswith("accuracy") else 1


def comma(value: float, spec: str = "g") -> str:
    return format(value, spec).replace(".", ",")
