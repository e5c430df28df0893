"""Directiva `ejecuciones`: cuándo, con qué versiones, en qué máquina y de qué estado se ejecutó cada cuaderno."""

from datetime import datetime

import nbformat
import pandas as pd
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tarea4.report.html import table

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


class Executions(SphinxDirective):
    """Una fila por cuaderno publicado."""

    def run(self):
        self.env.note_reread()  # los cuadernos cambian sin que cambie la página
        paths = {doc: self.env.doc2path(doc) for doc in sorted(self.env.found_docs) if "/" not in doc}
        notebooks = {doc: nbformat.read(path, 4) for doc, path in paths.items() if path.endswith(".ipynb")}
        rows = [row(doc.upper(), notebook.metadata.get("tarea4", {})) for doc, notebook in notebooks.items()]
        shown = table(pd.DataFrame(rows, columns=HEADINGS), "De qué ejecución sale cada capítulo")
        return [nodes.raw("", shown.data, format="html")]


def setup(app):
    """Registra la directiva."""
    app.add_directive("ejecuciones", Executions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
