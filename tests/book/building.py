"""El libro para las pruebas: dónde está, qué páginas tiene, y cómo se copia y se construye."""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

BOOK = Path(__file__).parents[2] / "book"
ODD = "q4 al 50% #1?"  # el nombre de una repetición
HOSTILE = '<script>alert(1)</script>&"c" <b>.csv'  # el de unos datos; la barra separa una carpeta de un archivo


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
