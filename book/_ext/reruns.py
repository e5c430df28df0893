"""Directiva `corridas`: las repeticiones que hay en corridas/, con lo que cambia frente al cuaderno publicado."""

import html
import re
from pathlib import Path

import nbformat
import pandas as pd
from docutils import nodes
from pages import glued
from sphinx.util.docutils import SphinxDirective

from tarea4.report.html import table

FIGURE = re.compile(r"(pérdida|exactitud|ECE) (\d+,\d+)")


def figures(text: str) -> list[tuple[str, str]]:
    """Las cifras de un resumen, con su nombre: «pérdida 0,08 ± 0,01» da ``[("pérdida", "0,08")]``."""
    return FIGURE.findall(text)


def difference(published: str, rerun: str) -> str:
    """La corrida menos la publicada, con signo y los mismos decimales: «+0,0031»."""
    decimals = len(rerun.partition(",")[2])
    value = float(rerun.replace(",", ".")) - float(published.replace(",", "."))
    return f"{value:+.{decimals}f}".replace(".", ",").replace("-", "−")


def compare(path: Path) -> str:
    """HTML de una corrida: un enlace con sus parámetros y la tabla de lo publicado, lo suyo y la diferencia."""
    ours = glued(path)
    chapter = next(name.removesuffix("_verdict") for name in ours if name.endswith("_verdict"))
    published = glued(path.parents[1] / f"{chapter}.ipynb")
    parameters = nbformat.read(path, as_version=4).metadata.get("papermill", {}).get("parameters", {})

    before, after = (texts[f"{chapter}_verdict"] for texts in (published, ours))
    rows = [("veredicto", before, after, "igual" if before == after else "cambia")]
    pairs = list(zip(*(figures(texts[f"{chapter}_today"]) for texts in (published, ours)), strict=False))
    rows += [(name, old, new, difference(old, new)) for (name, old), (_, new) in pairs]

    changed = ", ".join(f"<code>{html.escape(f'{name} = {value}')}</code>" for name, value in parameters.items())
    name = html.escape(path.stem)
    frame = pd.DataFrame(rows, columns=[chapter.upper(), "Publicado", "Repetición", "Diferencia"])
    return (
        f'<p><a href="corridas/{name}.html">{name}</a>: {changed or "los parámetros publicados"}</p>'
        + table(frame, f"{path.stem}, frente a lo publicado").data
    )


class Runs(SphinxDirective):
    """Una tabla por cuaderno de corridas/, o una frase si no hay ninguno."""

    def run(self):
        self.env.note_reread()  # las corridas cambian sin que cambie la página
        tables = [compare(path) for path in sorted(Path(self.env.srcdir, "corridas").glob("*.ipynb"))]
        text = "".join(tables) or "<p>Aún no hay ninguna.</p>"
        return [nodes.raw("", text, format="html")]


def setup(app):
    """Registra la directiva."""
    app.add_directive("corridas", Runs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
