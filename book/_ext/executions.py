"""Directiva `ejecuciones`: cuándo, con qué versiones, en qué máquina y de qué estado se ejecutó cada cuaderno."""

import re
from datetime import datetime

import nbformat
import pandas as pd
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tarea4.report.html import table

INTERVAL = re.compile(r"\[[−\d][^\[\];]*; [^\[\]]*\]")  # «[0,67; 1,07]»
HEADINGS = ("Cuaderno", "Fecha (UTC)", "Segundos", "Versiones", "Máquina", "Estado")


def row(name: str, record: dict) -> list[str]:
    """Las celdas de un cuaderno a partir de lo que anotó `tools/execute.py`."""
    if not record:
        return [name, *["no consta"] * (len(HEADINGS) - 1)]
    return [
        name,
        datetime.fromisoformat(record["date"]).strftime("%Y-%m-%d %H:%M"),
        f"{record['seconds']:.0f}",
        ", ".join(f"{package} {version}" for package, version in record["versions"].items()),
        record["machine"],
        record["state"][:12],
    ]


def intervals(notebook: nbformat.NotebookNode) -> int:
    """Cuántos intervalos imprime un cuaderno, en sus frases y en sus tablas."""
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum(len(INTERVAL.findall(data.get(f"text/{kind}", ""))) for data in outputs for kind in ("html", "markdown"))


class Executions(SphinxDirective):
    """Una fila por cuaderno publicado."""

    def run(self):
        self.env.note_reread()  # los cuadernos cambian sin que cambie la página
        paths = {doc: self.env.doc2path(doc) for doc in sorted(self.env.found_docs) if "/" not in doc}
        notebooks = {doc: nbformat.read(path, 4) for doc, path in paths.items() if path.endswith(".ipynb")}
        rows = [row(doc.upper(), notebook.metadata.get("tarea4", {})) for doc, notebook in notebooks.items()]
        shown = table(pd.DataFrame(rows, columns=HEADINGS), "De qué ejecución sale cada capítulo")
        total = sum(map(intervals, notebooks.values()))
        told = f"Los capítulos imprimen {total} intervalos del 95 %: cabe esperar que {total / 20:.0f} fallen por azar."
        return [nodes.raw("", shown.data, format="html"), nodes.paragraph("", told)]


def setup(app):
    """Registra la directiva."""
    app.add_directive("ejecuciones", Executions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
