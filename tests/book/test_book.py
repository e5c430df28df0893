"""El libro construido desde cero, en una copia: sin avisos, completo, en español y sin pedir nada a la red."""

import os
import re
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from building import BOOK, ODD, build, contents

LEFTOVERS = ["Link to this", "Show code cell", "Hide code cell", "Search this book", "{type}"]


@pytest.fixture(scope="module")
def pages(site):
    """Texto HTML de cada página construida, por nombre."""
    return {path.stem: path.read_text(encoding="utf-8") for path in site.glob("*.html")}


def test_strict_build_has_no_warning(strict):
    """La construcción estricta termina bien y sin un solo aviso."""
    code, log, html = strict
    assert code == 0, log
    assert "WARNING" not in log
    assert "build succeeded." in log
    assert (html / "index.html").is_file()


def test_every_page_of_the_contents_is_built(pages):
    """Cada archivo de _toc.yml tiene su página, con título y en español."""
    assert {"q1", "q2", "q3", "q4", "q5", "como-se-corrio", "corridas"} <= set(contents())
    for file in contents():
        assert '<html lang="es"' in pages[file]
        assert "<h1>" in pages[file]


def test_every_run_is_told(pages):
    """«Cómo y cuándo se ejecutó» tiene una fila por cuaderno publicado."""
    rows = re.findall(r"<td>(Q\d)</td>", pages["como-se-corrio"])
    assert rows == sorted(path.stem.upper() for path in BOOK.glob("*.ipynb"))


def test_nothing_is_asked_of_the_network(pages, site):
    """Ninguna página carga nada de fuera, y la copia de MathJax está donde las fórmulas la buscan."""
    for name, html in pages.items():
        assert not re.search(r'<(script|img|iframe|source)\b[^>]*\bsrc="(https?:)?//', html), name
        assert not re.search(r'<link\b[^>]*\bhref="(https?:)?//', html), name
    scripts = re.findall(r'src="([^"?]*tex-svg\.js)', "".join(pages.values()))
    assert scripts
    assert all((site / script).is_file() for script in scripts)


def test_computed_tables_are_tables(pages):
    """Las tablas de Markdown que escriben las celdas se ven como tablas, no como barras y rayas."""
    for name in ["q1", "q2", "q3", "q4", "q5"]:
        assert "<table" in pages[name], name
        assert not re.search(r"\|\s*:?(---|—)", re.sub(r"<pre>.*?</pre>", "", pages[name], flags=re.DOTALL)), name


def test_every_chapter_opens_with_its_answer(pages):
    """Entre la pregunta y el experimento está la respuesta calculada, sin código por medio."""
    for name in ["q1", "q2", "q3", "q4", "q5"]:
        answer = pages[name].split('id="respuesta"')[1].split("<section ")[0]
        assert "<strong>" in answer, name
        assert "Mostrar el código" not in answer, name


def test_interface_in_spanish(pages):
    """No quedan en inglés los textos que se traducen por configuración o por catálogo."""
    for name, html in pages.items():
        assert not [text for text in LEFTOVERS if text in html], name
    assert "Mostrar el código" in pages["q1"]
    assert "Enlace a este apartado" in pages["intro"]


def test_reruns_appear_in_the_book(repeated):
    """Un cuaderno dejado en corridas/ tiene su página y está en el índice, se llame como se llame."""
    log, html = repeated
    assert not re.search("duplicate label|target not found", log)
    rerun = (html / "corridas" / "q1-otra.html").read_text(encoding="utf-8")
    assert 'href="../q4.html"' in rerun
    assert 'src="../tocar/dropout.js"' in rerun  # lo que se toca, también en las repeticiones
    assert 'href="corridas' not in (html / "q1.html").read_text(encoding="utf-8").split("<article")[1]
    front = BeautifulSoup((html / "intro.html").read_text(encoding="utf-8"), "html.parser")
    named = {unquote(urlsplit(link["href"]).path): link.text.strip() for link in front.select("nav a[href]")}
    assert named["corridas/q1-otra.html"].startswith("q1-otra: Q1. ¿Cuál")  # en el índice, con su nombre
    assert named[f"corridas/{ODD}.html"].startswith(f"{ODD}: Q4. ")
    assert named["apuntes.html"] == "Unos apuntes"
    assert front.find("a", href="https://keras.io")
    for page in ("corridas.html", "corridas/q1-otra.html", f"corridas/{ODD}.html"):  # y no pasa por otra ejecución
        text = (html / page).read_text(encoding="utf-8")
        assert "es una copia del capítulo publicado" in text, page
        links = [link["href"] for link in BeautifulSoup(text, "html.parser").select("a[href]")]
        paths = [unquote(urlsplit(link).path) for link in links if not urlsplit(link).scheme]
        assert not [path for path in paths if path and not (html / page).parent.joinpath(path).exists()], page


def test_a_deleted_rerun_takes_its_page(site):
    """La página de una repetición que se borró no queda en el libro construido encima, ni se la nombra."""
    assert not (site / "corridas" / "borrada.html").exists()
    assert "borrada" not in (site / "corridas.html").read_text(encoding="utf-8")


def sphinx(folder, builder="html"):
    """Lo que dice Sphinx, que no acaba bien, de unos cuadernos con lo que el libro comprueba antes de leer."""
    settings = {"extensions": "myst_nb,pages", "root_doc": "indice", "nb_execution_mode": "off"}
    options = [text for name, value in settings.items() for text in ("-D", f"{name}={value}")]
    command = [sys.executable, "-m", "sphinx", "-C", *options, "-b", builder, folder, folder / "fuera"]
    paths = os.environ | {"PYTHONPATH": str(BOOK / "_ext")}
    process = subprocess.run(command, env=paths, capture_output=True, text=True, check=False)
    assert process.returncode != 0
    return process.stderr


def test_a_half_run_notebook_stops_the_build(tmp_path):
    """Una repetición que se quedó a medias detiene la construcción, que dice cuál es."""
    notebook = nbformat.read(BOOK / "q1.ipynb", as_version=4)
    notebook.cells[-1] |= {"execution_count": None, "outputs": []}
    nbformat.write(notebook, tmp_path / "q1-a-medias.ipynb")
    (tmp_path / "indice.md").write_text("# Índice\n\n```{toctree}\nq1-a-medias\n```\n", encoding="utf-8")
    assert "q1-a-medias.ipynb no se ejecutó desde su celda de código" in sphinx(tmp_path)


@pytest.mark.parametrize("builder", ["dirhtml", "singlehtml"])
def test_other_builders_are_refused(builder, tmp_path):
    """Lo que no serviría se rechaza con una frase, antes de leer nada."""
    refused = f"--builder: se recibió '{builder}' y este libro solo se construye con 'html'."
    assert refused in sphinx(tmp_path, builder)


def test_the_book_checks_its_notebooks():
    """La configuración del libro lleva la extensión que comprueba lo anterior."""
    config = yaml.safe_load((BOOK / "_config.yml").read_text(encoding="utf-8"))
    assert config["sphinx"]["local_extensions"]["pages"] == "_ext"


def small_book(folder, source, **execute):
    """Construye un libro de una página, que ejecuta esa celda como la ejecutaría el nuestro."""
    config = yaml.safe_load((BOOK / "_config.yml").read_text(encoding="utf-8"))
    settings = {"title": "Prueba", "execute": config["execute"] | execute}
    (folder / "_config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: pagina\n", encoding="utf-8")
    cells = [nbformat.v4.new_markdown_cell("# Página"), nbformat.v4.new_code_cell(source)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": ""}})
    nbformat.write(notebook, folder / "pagina.ipynb")
    return build(folder)


@pytest.mark.parametrize("mode", ["force", "cache"])
def test_a_cell_that_fails_while_building_stops_it(mode, tmp_path):
    """Con los cuadernos ejecutados al construir, una celda que falla deja sin libro, y se dice en qué cuaderno."""
    process, html = small_book(tmp_path, "1 / 0", execute_notebooks=mode)
    assert process.returncode != 0
    assert "pagina.ipynb" in process.stderr
    assert not (html / "index.html").exists()


@pytest.mark.parametrize("limit", [{}, {"timeout": 1}], ids=["el del libro", "un segundo"])
def test_a_long_cell_is_waited_for(limit, tmp_path):
    """Una celda se espera lo que dice `timeout`, y en el libro no tiene límite: sin él serían 30 segundos."""
    config = yaml.safe_load((BOOK / "_config.yml").read_text(encoding="utf-8"))
    assert config["execute"]["timeout"] == -1  # https://nbclient.readthedocs.io: sin límite
    process, html = small_book(tmp_path, "import time; time.sleep(3); print(6 * 7)", execute_notebooks="force", **limit)
    assert (process.returncode == 0) == (not limit), process.stderr
    assert limit or "42" in re.sub("<[^>]*>", "", (html / "pagina.html").read_text(encoding="utf-8"))
