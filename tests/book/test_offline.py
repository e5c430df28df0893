"""Una repetición sin red, con unos datos cuyo nombre parece HTML: termina, y nada de ese nombre se vuelve etiqueta."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from test_book import BOOK, build, copy

NAME = '<script>alert(1)</script>&"c" <b>.npz'  # la barra separa una carpeta de un archivo
# Python lo ejecuta al arrancar, también en el núcleo del cuaderno: anota e impide lo que salga de la máquina.
BLOCK = """
import os, sys

def block(event, arguments):
    if event in {"socket.connect", "socket.sendto"}:
        host = arguments[1][0] if isinstance(arguments[1], tuple) else "localhost"
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0]
    else:
        return
    if host not in {"localhost", "127.0.0.1", "::1", "", None}:
        with open(os.environ["ASKED"], "a") as asked:
            asked.write(f"{event} {host}\\n")
        raise OSError("sin red")

sys.addaudithook(block)
"""


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """Devuelve una función que ejecuta una orden sin más red que la interna; da el proceso y lo que pidió a la red.

    Donde se puede, corre además en un espacio de red propio, que tampoco deja salir al código que no es Python.
    """
    folder = tmp_path_factory.mktemp("sin-red")
    (folder / "sitecustomize.py").write_text(BLOCK, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(folder), "ASKED": str(folder / "asked")}
    private = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*private, "true"], capture_output=True, check=False).returncode:
        private = []

    def run(*command, cwd):
        (folder / "asked").write_text("")
        command = [*private, sys.executable, *command]
        process = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        return process, (folder / "asked").read_text()

    return run


@pytest.fixture(scope="module")
def rerun(offline, other_data, tmp_path_factory):
    """Q1 repetido sin red con otros datos: el proceso, lo que pidió a la red y el cuaderno que deja."""
    folder = tmp_path_factory.mktemp("corrida")
    data_path = folder / NAME
    data_path.parent.mkdir(parents=True)
    shutil.copy(other_data, data_path)
    parameters = {"data_path": NAME, "seeds": "[0]", "epochs": 1, "hidden_sizes": "[4]"}
    options = [text for name, value in parameters.items() for text in ("-p", name, str(value))]
    process, asked = offline(
        "-m", "papermill", BOOK / "q1.ipynb", "salida.ipynb", "--no-progress-bar", *options, cwd=folder
    )
    return process, asked, folder / "salida.ipynb"


def test_the_block_bites(offline, tmp_path):
    """El bloqueo detiene una petición a la red y la anota; la red interna funciona."""
    process, asked = offline("-c", "import urllib.request as r; r.urlopen('http://192.0.2.1/')", cwd=tmp_path)
    assert process.returncode != 0
    assert asked == "socket.getaddrinfo 192.0.2.1\n"
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
    process, asked = offline("-c", code, cwd=tmp_path)
    assert (process.returncode, asked) == (0, ""), process.stderr


def test_nothing_is_asked_of_the_network_while_running(rerun):
    """Un cuaderno se repite entero sin red, y ni siquiera la pide."""
    process, asked, _ = rerun
    assert process.returncode == 0, process.stderr
    assert asked == ""


def test_no_parameter_becomes_markup(rerun, tmp_path):
    """En las páginas del libro, el nombre de los datos se lee tal cual y no es HTML."""
    book = copy(tmp_path)
    (book / "corridas").mkdir()
    notebook = nbformat.read(rerun[2], as_version=4)
    nbformat.write(notebook, book / "corridas" / "q1-rara.ipynb")
    process, html = build(book)
    assert process.returncode == 0, process.stderr
    for page in ("corridas.html", "corridas/q1-rara.html"):
        source = (html / page).read_text(encoding="utf-8")
        assert "alert(1)<" not in source
        assert '"c" <' not in source
        soup = BeautifulSoup(source, "html.parser")
        assert [code for code in soup("code") if NAME in code.text], page
        assert not [script for script in soup("script") if "alert" in script.text]
        assert not soup("b")
