"""Directiva `corridas`: las repeticiones que hay en corridas/, con lo que cambia frente al cuaderno publicado.

De una repetición solo se cree lo que ella misma anotó al ejecutarse (`tarea4.report.record`): ni los metadatos que
otros programas escriben ni lo que diga el cuaderno publicado.
"""

import html
import json
import re
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import nbformat
import pandas as pd
from docutils import nodes
from pages import glued
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from tarea4.report.html import table
from tarea4.report.record import source_digest
from tarea4.report.words import days, number

SHOWN = {"pérdida": (1, 4, ""), "exactitud": (100, 2, " (%)"), "ECE": (1, 4, "")}  # escala, decimales y unidad
SIBLING, EXERCISE = re.compile(r"\]\((?=[\w-]+\.(?:ipynb|md)[)#])"), re.compile(r"(:label: |\{solution\} )")
COLUMNS = ["Red", "Medida", "Publicado", "Repetición", "Diferencia"]


def recorded(path: Path) -> tuple[str, dict]:
    """El capítulo de un cuaderno ejecutado y lo que anotó de su ejecución; si no anotó nada, ExtensionError."""
    found = {name.removesuffix("_record"): text for name, text in glued(path).items() if name.endswith("_record")}
    if len(found) != 1:
        raise ExtensionError(f"{path.name} no anotó sus resultados como datos: hay que ejecutarlo otra vez.")
    [(chapter, text)] = found.items()
    return chapter, json.loads(text)


def twin(path: Path, chapter: str) -> dict:
    """Lo que anotó el capítulo publicado de una corrida."""
    return recorded(path.parents[1] / f"{chapter}.ipynb")[1]


def doubts(path: Path, ours: dict, published: dict) -> list[str]:
    """Lo que impide creer que un cuaderno, tal como está, es otra ejecución y la que dio sus resultados."""
    if ours["date"] == published["date"]:
        return ["es una copia del capítulo publicado, no otra ejecución"]
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]
    counts, ran = [cell.execution_count for cell in code], dict(enumerate(ours["cells"]))
    edited = [str(i) for i, cell in enumerate(code, 1) if ran.get(counts[i - 1]) != source_digest(cell.source)]
    if edited:
        return [f"no es lo que se ejecutó: desde entonces cambió su celda de código {', '.join(edited)}"]
    return ["sus celdas no se ejecutaron por orden"] if counts != sorted(set(counts)) else []


def shown(result: dict | None) -> str:
    """Media y desviación típica de un resultado, en las unidades de la tabla; o una raya."""
    if result is None:
        return "—"
    scale, decimals, _ = SHOWN[result["quantity"]]
    spread = f" ± {number(scale * result['spread'], decimals)}" if result["n"] > 1 else ""
    return number(scale * result["mean"], decimals) + spread


def difference(published: dict | None, rerun: dict) -> str:
    """La media de la corrida menos la publicada, con signo: «+0,0031»; sin pareja, se dice."""
    if published is None:
        return "sin pareja"
    scale, decimals, _ = SHOWN[rerun["quantity"]]
    value = scale * (rerun["mean"] - published["mean"])
    return ("+" if value >= 0 else "") + number(value, decimals)


def compare(path: Path) -> str:
    """HTML de una corrida: un enlace, sus parámetros, sus avisos y la tabla de lo publicado, lo suyo y la diferencia.

    Solo se emparejan la misma red, la misma medida y la misma parte de los mismos datos.
    """
    chapter, ours = recorded(path)
    published = twin(path, chapter)
    same_data = ours["data"]["digest"] == published["data"]["digest"]
    warnings = doubts(path, ours, published)
    if not same_data:
        warnings.append("es de otros datos, y con lo publicado no hay nada que comparar")

    def key(result):
        return tuple(result[name] for name in ("model", "quantity", "split"))

    pairs = {key(result): result for result in published["results"]} if same_data else {}
    before, after = published["verdict"], ours["verdict"]
    rows = [("", "veredicto", before, after, "igual" if before == after else "cambia")]
    if not same_data:
        rows = [("", "veredicto", "—", after, "sin pareja")]
    for result in (result for result in ours["results"] if result["split"] == "prueba"):
        measure = f"{result['quantity']}{SHOWN[result['quantity']][2]}, {result['split']}"
        pair = pairs.get(key(result))
        rows.append((result["model"], measure, shown(pair), shown(result), difference(pair, result)))

    changes = {k: v for k, v in ours["parameters"].items() if published["parameters"].get(k, ...) != v}
    changed = ", ".join(f"<code>{html.escape(f'{name} = {value}')}</code>" for name, value in changes.items())
    when = days([datetime.fromisoformat(ours["date"])])
    versions = ", ".join(f"{package} {release}" for package, release in ours["versions"].items())
    alert = "".join(f" <strong>OJO, {html.escape(each)}.</strong>" for each in warnings)
    return (
        f'<p><a href="corridas/{quote(path.stem)}.html">{html.escape(path.stem)}</a>: '
        f"{changed or 'los parámetros publicados'}. {html.escape(ours['data']['description'])} "
        f"Se ejecutó {when}, con {html.escape(versions)}.{alert}</p>"
        + table(pd.DataFrame(rows, columns=COLUMNS), f"{path.stem} ({chapter.upper()}), frente a lo publicado").data
    )


def adapt(app, docname, content):
    """Pone a una corrida su nombre y lo que impide creerla, y la acomoda a su sitio: enlaces y ejercicios."""
    path = Path(app.env.doc2path(docname))
    if path.parent != Path(app.srcdir, "corridas") or path.suffix != ".ipynb":
        return
    chapter, ours = recorded(path)
    notebook = nbformat.reads(content[0], as_version=4)
    own = f"{source_digest(path.stem)}-"  # dos corridas de un capítulo no comparten etiquetas
    prose = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in prose:
        cell.source = EXERCISE.sub(rf"\g<1>{own}", SIBLING.sub("](../", cell.source))
    title, _, rest = prose[0].source.partition("\n")
    named = re.sub(r"([^\w\s])", r"\\\1", path.stem)  # en el índice, dos de un capítulo se distinguen por el nombre
    found = doubts(path, ours, twin(path, chapter))
    warning = f"\n```{{warning}}\nEste cuaderno {'; '.join(found)}.\n```\n" if found else ""
    prose[0].source = f"# {named}: {title.lstrip('# ')}\n{warning}{rest}"
    content[0] = nbformat.writes(notebook)


class Runs(SphinxDirective):
    """Una tabla por cuaderno de corridas/, o una frase si no hay ninguno."""

    def run(self):
        self.env.note_reread()  # las corridas cambian sin que cambie la página
        tables = [compare(path) for path in sorted(Path(self.env.srcdir, "corridas").glob("*.ipynb"))]
        text = "".join(tables) or "<p>Aún no hay ninguna.</p>"
        return [nodes.raw("", text, format="html")]


def setup(app):
    """Registra la directiva y lo que adapta cada corrida."""
    app.add_directive("corridas", Runs)
    app.connect("source-read", adapt, priority=600)  # después de comprobar que se ejecutó entero
    return {"parallel_read_safe": True, "parallel_write_safe": True}
