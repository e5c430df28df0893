"""Extensión de Sphinx: lo que el tema trae en inglés, pesa de más o no se lee bien con un lector de pantalla.

Se corrige en las páginas ya construidas, con el menor cambio posible, y así vale también sin JavaScript.
"""

import ast
import base64
import itertools
import json
import re
import shutil
from pathlib import Path
from urllib.parse import quote

import nbformat
from sphinx.errors import ExtensionError

REPLACEMENTS = {
    # textos que no pasan por ningún catálogo
    'title="Toggle primary sidebar"': 'title="Mostrar u ocultar el índice del libro"',
    'title="Toggle secondary sidebar"': 'title="Mostrar u ocultar el contenido de la página"',
    'aria-label="Toggle hidden content"': 'aria-label="Mostrar u ocultar el contenido"',
    'aria-label="Main"': 'aria-label="Índice del libro"',
    'aria-label="Page"': 'aria-label="Contenido de la página"',
    'aria-label="Descarga esta pagina"': 'aria-label="Descargar esta página"',
    "© Copyright": "©",
    # accesibilidad: regiones, nombres y papeles que faltan o que ya no se admiten
    'id="pst-primary-sidebar" class=': 'id="pst-primary-sidebar" role="navigation" aria-label="Libro" class=',
    '<summary><span class="toctree-toggle"': (
        '<summary aria-label="Mostrar u ocultar los apartados"><span class="toctree-toggle"'
    ),
    # lo que se ve de un plegable o de un botón es su nombre: otro, escrito aparte, no lo dice quien habla al navegador
    '<summary aria-label="Mostrar u ocultar el contenido">': "<summary>",
    '-field search-button__button pst-js-only" title="Búsqueda" aria-label="Búsqueda"': (
        '-field search-button__button pst-js-only"'
    ),
    ' role="doc-biblioentry"': "",
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    "<th></th>": "<td></td>",
    '<section id="exercise-content">': "<section>",
    '<section id="solution-content">': "<section>",
}
# una tabla ancha se desplaza también con el teclado, y se la encuentra por su título o por sus columnas
TABLE = re.compile(
    r'(<div class="(?:tabla|pst-scrollable-table-container)")>'
    r"(?=\s*<table[^>]*>\s*(?:<caption>(?P<title>.*?)</caption>|<thead>(?P<head>.*?)</thead>))",
    re.DOTALL,
)
EMPTY_LIST = re.compile(
    r'<details><summary[^>]*><span class="toctree-toggle".*?<ul[^>]*>\s*</ul>\s*</details>', re.DOTALL
)
# el texto no espera a los guiones; los que van dentro de la página solo necesitan las opciones
BLOCKING = re.compile(r'<script (?=src=")(?!src="[^"]*documentation_options)')
SCRIPT = re.compile(r"\s*<script\b[^>]*>.*?</script>", re.S)
# los iconos se ven igual con la tipografía que ya está en la hoja de estilos, y thebe necesita un servidor ajeno
UNUSED = ("fontawesome.js", "thebe", "kernelName")
MATHJAX = "tex-svg.js"


def named(found: re.Match, number: int) -> str:
    """Cómo se llama una tabla encontrada por `TABLE`: su título o, sin él, su número en la página y sus columnas."""
    cells = re.findall("<th.*?</th>", found["head"] or "", re.DOTALL)
    columns = [re.sub("<[^>]*>", "", cell).strip().replace('"', "&quot;") for cell in cells]
    return found["title"] or f"Tabla {number}: {', '.join(filter(None, columns))}"


def mend(html: str) -> str:
    """Devuelve la página corregida; aplicada dos veces da lo mismo."""
    for theirs, ours in REPLACEMENTS.items():
        html = html.replace(theirs, ours)
    region, number = '{} tabindex="0" role="region" aria-label="{}">', itertools.count(1)
    html = TABLE.sub(lambda found: region.format(found[1], named(found, next(number))), html)
    unused = UNUSED if 'class="math' in html else (*UNUSED, MATHJAX, "MathJax")
    html = SCRIPT.sub(lambda script: "" if any(name in script[0] for name in unused) else script[0], html)
    return BLOCKING.sub("<script defer ", EMPTY_LIST.sub("", html))


def executed(name: str, content: str) -> nbformat.NotebookNode:
    """El cuaderno, si todas sus celdas se ejecutaron bien; si no, ExtensionError con su nombre."""
    try:
        notebook = nbformat.reads(content, as_version=4)
    except (ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ExtensionError(f"{name} está cortado o no es un cuaderno: hay que ejecutarlo otra vez.") from error
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for i, cell in enumerate(code, 1):
        if any(output.output_type == "error" for output in cell.outputs):
            raise ExtensionError(f"{name} falló en su celda de código {i}: no se publica como si hubiera terminado.")
        if cell.execution_count is None:
            raise ExtensionError(f"{name} no se ejecutó desde su celda de código {i}: hay que ejecutarlo entero.")
    return notebook


def refuse_unfinished(app, docname, content):
    """Comprueba cada cuaderno del libro antes de leerlo."""
    if (path := Path(app.env.doc2path(docname))).suffix == ".ipynb":
        executed(path.name, content[0])


def refuse_other_builders(app):
    """Con otras direcciones, o en una sola página, lo que se toca no encontraría sus archivos: mejor decirlo antes."""
    if app.builder.format == "html" and app.builder.name != "html":
        raise ExtensionError(f"--builder: se recibió {app.builder.name!r} y este libro solo se construye con 'html'.")


def glued(path: Path) -> dict[str, str]:
    """Los textos que un cuaderno ejecutado guardó con `glue`, por nombre."""
    cells = executed(path.name, path.read_text(encoding="utf-8")).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = {
        output.metadata.scrapbook.name: ast.literal_eval(text)
        for output in outputs
        if "scrapbook" in output.get("metadata", {})
        and (text := output.data.get("application/papermill.record/text/plain", "")).startswith(("'", '"'))
    }
    if not any(name.endswith("_verdict") for name in texts):
        raise ExtensionError(f"{path.name} no llegó a su veredicto: hay que ejecutarlo entero antes de publicarlo.")
    return texts


def one_per_class(weights: str) -> str:
    """De los ejemplos que llevan los pesos, el primero de cada clase: lo que Q1 enseña sin cargar las redes."""
    examples = json.loads(weights)["examples"]
    labels, pixels = examples["labels"], base64.b64decode(examples["pixels"])
    size, shown = len(pixels) // len(labels), sorted(set(labels))
    images = [pixels[size * i : size * (i + 1)] for i in map(labels.index, shown)]
    return json.dumps({"labels": shown, "pixels": base64.b64encode(b"".join(images)).decode()})


def finish(app, exception):
    """Corrige cada página, pone la portada, los pesos de las redes y los dígitos de Q1, y quita lo que nadie pide."""
    if exception or app.builder.format != "html":
        return
    site = Path(app.outdir)
    for path in (site / "corridas").glob("*.html"):  # una repetición que se borra se lleva su página
        if f"corridas/{path.stem}" not in app.env.found_docs:
            path.unlink()
    for path in site.rglob("*.html"):
        up = "../" * (len(path.relative_to(site).parts) - 1)  # una repetición está una carpeta más abajo
        html = mend(path.read_text(encoding="utf-8")).replace('="tocar/', f'="{up}tocar/')
        html = html.replace(f"_sources/corridas/{path.stem}", f"_sources/corridas/{quote(path.stem)}")  # con #, ? o %
        path.write_text(html, encoding="utf-8")
    toggle = site / "_static" / "togglebutton.js"  # pone sus botones al abrir la página
    toggle.write_text(mend(toggle.read_text(encoding="utf-8")), encoding="utf-8")
    shutil.copy(site / f"{app.config.root_doc}.html", site / "index.html")
    weights = glued(Path(app.srcdir) / "q5.ipynb")["q5_web"]  # el cuaderno que los entrena los deja en su salida
    (site / "modelo" / "pesos.js").write_text(f"const PESOS = {weights};\n", encoding="utf-8")
    (site / "tocar" / "digitos.js").write_text(f"const EXAMPLES = {one_per_class(weights)};\n", encoding="utf-8")
    for pattern in ("*.map", "fontawesome.js*", "*webpack-macros.html", "fa-*.ttf"):
        for path in (site / "_static").rglob(pattern):
            path.unlink()


def setup(app):
    """Registra la extensión."""
    app.connect("builder-inited", refuse_other_builders)
    app.connect("source-read", refuse_unfinished)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
