"""Directivas de «El módulo por dentro»: `casa`, los pisos dibujados a partir de las importaciones, y `lectura`."""

from collections import Counter

import matplotlib.patches as shapes
import pandas as pd
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import tarea4
from tarea4.engine import code
from tarea4.report.drawing import STYLED, WIDTH, ReportFigure
from tarea4.report.html import figure, table

FLOORS = {"search": "la búsqueda", "report": "el informe", "core": "el módulo pequeño", "engine": "el motor"}
COLOURS = {"search": "#CC79A7", "report": "#56B4E9", "core": "#F0E442", "engine": "#009E73"}
LINES_A_MINUTE = 25  # de código ajeno, con sus docstrings


def modules() -> dict[str, str]:
    """Por nombre, el código de cada módulo de `tarea4`."""
    paths = sorted((code.ROOT / "tarea4").rglob("*.py"))
    names = [".".join(path.relative_to(code.ROOT).with_suffix("").parts) for path in paths]
    return {name: path.read_text("utf-8") for name, path in zip(names, paths, strict=True)}


def floor(name: str) -> str:
    """El piso de un módulo."""
    part = name.split(".")[1]
    return part if part in FLOORS else "core"


def arrows(sources: dict[str, str]) -> Counter[tuple[str, str]]:
    """Cuántos módulos de un piso importan de otro."""
    imported = {name: {floor(other) for other in code.imported(text)} for name, text in sources.items()}
    return Counter((floor(name), target) for name, floors in imported.items() for target in floors - {floor(name)})


@STYLED
def draw(sources: dict[str, str]) -> ReportFigure:
    """Un piso por fila, con sus archivos, y las flechas de lo que importa cada uno."""
    drawing = ReportFigure(figsize=(WIDTH, 5.6))
    axis = drawing.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 10), ylim=(0, 4 * len(FLOORS)))
    axis.axis("off")
    for row, (key, title) in enumerate(reversed(FLOORS.items())):
        names = [name.split(".")[-1] for name in sources if floor(name) == key]
        axis.add_patch(
            shapes.FancyBboxPatch((0.3, 4 * row + 0.5), 7.4, 2.6, "round,pad=0.1", fc=COLOURS[key], alpha=0.35)
        )
        lines = sum(text.count("\n") for name, text in sources.items() if floor(name) == key)
        axis.text(
            0.5, 4 * row + 2.5, f"{title}, tarea4/{'' if key == 'core' else key + '/'}: {lines} líneas", weight="bold"
        )
        shown = [name for name in names if name != "__init__"] + (["__init__ (la puerta)"] if key == "core" else [])
        for line, start in enumerate(range(0, len(shown), 5)):
            axis.text(0.5, 4 * row + 1.9 - 0.62 * line, ", ".join(shown[start : start + 5]), fontsize=9)
    rows = {key: 4 * row + 1.8 for row, key in enumerate(reversed(FLOORS))}
    for place, ((start, end), n) in enumerate(sorted(arrows(sources).items())):
        x = 8.1 + 0.42 * place
        arrow = {"arrowstyle": "-|>", "color": "black", "lw": 1 + 0.15 * min(n, 12)}
        axis.annotate("", (x, rows[end]), (x, rows[start]), arrowprops=arrow)
    return drawing


class House(SphinxDirective):
    """La casa, dibujada al construir el libro."""

    def run(self):
        self.env.note_reread()  # el código cambia sin que cambie la página
        sources = modules()
        rows = [(FLOORS[a], FLOORS[b], n) for (a, b), n in sorted(arrows(sources).items())]
        numbers = pd.DataFrame(rows, columns=["Desde", "Hacia", "Módulos que importan"])
        alt = "; ".join(f"de {a} a {b}, {n}" for a, b, n in rows)
        shown = figure(
            draw(sources),
            "Las importaciones solo bajan: nadie importa de un piso de arriba.",
            f"Los pisos de tarea4 y sus flechas: {alt}.",
            numbers,
        )
        return [nodes.raw("", shown.data, format="html")]


class Reading(SphinxDirective):
    """En qué orden se lee el módulo pequeño, y en cuánto."""

    def run(self):
        self.env.note_reread()
        sources, rows, total = modules(), [], 0
        core = [name.split(".")[1] for name in sources if floor(name) == "core"]
        for name in [*tarea4.PUBLIC, *sorted(set(core) - {*tarea4.PUBLIC, "__init__"})]:
            lines = sources[f"tarea4.{name}"].count("\n")
            total += lines
            rows.append(
                (
                    f"{name}.py",
                    (sources[f"tarea4.{name}"].split('"""')[1].splitlines()[0]),
                    lines,
                    round(lines / LINES_A_MINUTE),
                )
            )
        frame = pd.DataFrame(rows, columns=["Archivo", "De qué trata", "Líneas", "Minutos"])
        return [
            nodes.raw(
                "",
                table(
                    frame, f"El módulo pequeño, en orden de lectura: unos {round(total / LINES_A_MINUTE)} minutos"
                ).data,
                format="html",
            )
        ]


def setup(app):
    """Registra las directivas."""
    app.add_directive("casa", House)
    app.add_directive("lectura", Reading)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
