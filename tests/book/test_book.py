"""El libro construido desde cero, en una copia: sin avisos, completo, en español y sin pedir nada a la red."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

BOOK = Path(__file__).parents[2] / "book"
LEFTOVERS = ["Link to this", "Show code cell", "Hide code cell", "Search this book", "{type}"]


def build(book, *options):
    """Construye el libro de la carpeta `book` y devuelve el proceso terminado y la carpeta de las páginas."""
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", "--all", *options, book]
    return subprocess.run(command, capture_output=True, text=True, check=False), book / "_build" / "html"


def contents():
    """Los archivos de _toc.yml, sin extensión."""
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def copy(destination):
    """Copia las fuentes del libro, sin lo construido ni las repeticiones de quien ejecuta las pruebas."""
    return shutil.copytree(BOOK, destination / "book", ignore=shutil.ignore_patterns("_build", "*.mo", "corridas"))


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """Construcción estricta de una copia limpia."""
    return build(copy(tmp_path_factory.mktemp("libro")), "-W", "-n", "--keep-going")


@pytest.fixture(scope="module")
def pages(strict):
    """Texto HTML de cada página construida, por nombre."""
    return {path.stem: path.read_text(encoding="utf-8") for path in strict[1].glob("*.html")}


def test_strict_build_has_no_warning(strict):
    """La construcción estricta termina bien y sin un solo aviso."""
    process, html = strict
    log = process.stdout + process.stderr
    assert process.returncode == 0, log
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


def test_nothing_is_asked_of_the_network(pages, strict):
    """Ninguna página carga nada de fuera, y la copia de MathJax está donde las fórmulas la buscan."""
    for name, html in pages.items():
        assert not re.search(r'<(script|img|iframe|source)\b[^>]*\bsrc="(https?:)?//', html), name
        assert not re.search(r'<link\b[^>]*\bhref="(https?:)?//', html), name
    scripts = re.findall(r'src="([^"?]*tex-svg\.js)', "".join(pages.values()))
    assert scripts
    assert all((strict[1] / script).is_file() for script in scripts)


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


def test_reruns_appear_in_the_book(tmp_path):
    """Un cuaderno dejado en corridas/ tiene su página y está en el índice, se llame como se llame y se deje donde sea.

    El libro lleva además una página y un enlace que no son suyos, y se construye en otra carpeta.
    """
    book, odd = copy(tmp_path), "q4 al 50% #1?"
    (book / "corridas").mkdir()
    shutil.copy(book / "q1.ipynb", book / "corridas" / "q1-otra.ipynb")
    shutil.copy(book / "q4.ipynb", book / "corridas" / f"{odd}.ipynb")
    toc = yaml.safe_load((book / "_toc.yml").read_text(encoding="utf-8"))
    toc["parts"][-1]["chapters"] += [{"file": "apuntes"}, {"url": "https://keras.io", "title": "La documentación"}]
    (book / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    (book / "apuntes.md").write_text("# Unos apuntes\n\nNo son del informe.\n", encoding="utf-8")
    options, html = ("--path-output", tmp_path / "fuera"), tmp_path / "fuera" / "_build" / "html"
    process, _ = build(book, *options)
    assert process.returncode == 0, process.stderr
    assert not re.search("duplicate label|target not found", process.stdout + process.stderr)
    rerun = (html / "corridas" / "q1-otra.html").read_text(encoding="utf-8")
    assert 'href="../q4.html"' in rerun
    assert 'src="../tocar/dropout.js"' in rerun  # lo que se toca, también en las repeticiones
    assert 'href="corridas' not in (html / "q1.html").read_text(encoding="utf-8").split("<article")[1]
    front = BeautifulSoup((html / "intro.html").read_text(encoding="utf-8"), "html.parser")
    named = {unquote(urlsplit(link["href"]).path): link.text.strip() for link in front.select("nav a[href]")}
    assert named["corridas/q1-otra.html"].startswith("q1-otra: Q1. ¿Cuál")  # en el índice, con su nombre
    assert named[f"corridas/{odd}.html"].startswith(f"{odd}: Q4. ")
    assert named["apuntes.html"] == "Unos apuntes"
    assert front.find("a", href="https://keras.io")
    for page in ("corridas.html", "corridas/q1-otra.html", f"corridas/{odd}.html"):  # y no pasa por otra ejecución
        text = (html / page).read_text(encoding="utf-8")
        assert "es una copia del capítulo publicado" in text, page
        links = [link["href"] for link in BeautifulSoup(text, "html.parser").select("a[href]")]
        paths = [unquote(urlsplit(link).path) for link in links if not urlsplit(link).scheme]
        assert not [path for path in paths if path and not (html / page).parent.joinpath(path).exists()], page
    (book / "corridas" / "q1-otra.ipynb").unlink()
    assert build(book, *options)[0].returncode == 0
    assert not (html / "corridas" / "q1-otra.html").exists()  # borrada, se va también su página
    assert "q1-otra" not in (html / "corridas.html").read_text(encoding="utf-8")


def test_a_half_run_notebook_stops_the_build(tmp_path):
    """Una repetición que se quedó a medias detiene la construcción, que dice cuál es."""
    book = copy(tmp_path)
    (book / "corridas").mkdir()
    notebook = nbformat.read(book / "q1.ipynb", as_version=4)
    notebook.cells[-1] |= {"execution_count": None, "outputs": []}
    nbformat.write(notebook, book / "corridas" / "q1-a-medias.ipynb")
    process, _ = build(book)
    assert process.returncode != 0
    assert "q1-a-medias.ipynb no se ejecutó desde su celda de código" in process.stderr


def small_book(folder, *sources, mode):
    """Un libro de una página, que ejecuta un cuaderno de esas celdas al construirse, como el nuestro."""
    config = yaml.safe_load((BOOK / "_config.yml").read_text(encoding="utf-8"))
    execute = config["execute"] | {"execute_notebooks": mode}
    (folder / "_config.yml").write_text(yaml.safe_dump({"title": "Prueba", "execute": execute}), encoding="utf-8")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: pagina\n", encoding="utf-8")
    cells = [nbformat.v4.new_markdown_cell("# Página"), *map(nbformat.v4.new_code_cell, sources)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": ""}})
    nbformat.write(notebook, folder / "pagina.ipynb")
    return folder


@pytest.mark.parametrize("mode", ["force", "cache"])
def test_a_cell_that_fails_while_building_stops_it(mode, tmp_path):
    """Con los cuadernos ejecutados al construir, una celda que falla deja sin libro, y se dice en qué cuaderno."""
    process, html = build(small_book(tmp_path, "1 / 0", mode=mode))
    assert process.returncode != 0
    assert "pagina.ipynb" in process.stderr
    assert not (html / "index.html").exists()


def test_a_long_cell_is_waited_for(tmp_path):
    """Una celda que tarda más que el límite de costumbre, 30 segundos, llega a la página."""
    process, html = build(small_book(tmp_path, "import time; time.sleep(33); print(6 * 7)", mode="force"))
    assert process.returncode == 0, process.stderr
    assert "42" in re.sub("<[^>]*>", "", (html / "pagina.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("builder", ["dirhtml", "singlehtml"])
def test_other_builders_are_refused(builder, tmp_path):
    """Lo que no serviría se rechaza con una frase, antes de leer nada."""
    process, _ = build(copy(tmp_path), "--builder", builder)
    assert process.returncode != 0
    assert f"--builder: se recibió '{builder}' y este libro solo se construye con 'html'." in process.stderr
