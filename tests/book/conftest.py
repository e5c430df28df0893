"""Lo que comparten las pruebas del libro: construido, con repeticiones y en las pantallas, y lo que se exige en ellas.

Lo que tarda se hace una vez para todos los procesos de pruebas, y nadie lo cambia.
"""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pack_digits
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from building import BOOK, HOSTILE, ODD, build, copy

# axe-core 4.14.1, de npm (MPL 2.0); el que trae axe-playwright-python es más antiguo
AXE = Axe.from_file(Path(__file__).with_name("axe.min.js"))
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 900}
SCREENS = {  # los dos temas, tres anchos, la lupa al 200 % y los colores del sistema, en cuatro pantallas
    "1280 px, claro": {"viewport": WIDE},
    "1280 px, oscuro": {"viewport": WIDE, "color_scheme": "dark"},
    "360 px, oscuro": {"viewport": NARROW, "color_scheme": "dark"},
    "1280 px al 200 %, colores forzados": {
        "viewport": {"width": 640, "height": 450}, "device_scale_factor": 2, "forced_colors": "active",
    },
}  # fmt: skip
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


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """Devuelve una función que llena una carpeta una sola vez, el primer proceso de pruebas que la pide, y la da."""
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent

    def folder(name, fill):
        (path := base / name).mkdir(exist_ok=True)
        with (base / f"{name}.cerrojo").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (done := base / f"{name}.hecha").exists():
                fill(path)
                done.touch()
        return path

    return folder


def built(folder, *options):
    """Construye el libro de `folder` y anota ahí cómo acabó y lo que dijo."""
    process, _ = build(folder / "book", *options)
    (folder / "dicho.json").write_text(json.dumps([process.returncode, process.stdout + process.stderr]), "utf-8")


def said(folder):
    """Cómo acabó lo que se hizo en `folder`, y lo que dijo."""
    return json.loads((folder / "dicho.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def strict(once):
    """Construcción estricta de una copia del libro, donde quedaba una repetición que ya no está.

    Cómo acabó, lo que dijo y la carpeta de las páginas.
    """

    def fill(folder):
        left = copy(folder) / "_build" / "html" / "corridas" / "borrada.html"
        left.parent.mkdir(parents=True)
        left.touch()
        built(folder, "-W", "-n", "--keep-going")

    folder = once("libro", fill)
    return *said(folder), folder / "book" / "_build" / "html"


@pytest.fixture(scope="session")
def site(strict):
    """Las páginas del libro construido."""
    code, log, html = strict
    assert code == 0, log
    return html


@pytest.fixture(scope="session")
def offline(tmp_path_factory):
    """Devuelve una función que ejecuta una orden sin más red que la interna; da el proceso y lo que pidió a la red.

    Donde se puede, corre además en un espacio de red propio, que tampoco deja salir al código que no es Python.
    """
    folder = tmp_path_factory.mktemp("bloqueo")
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


@pytest.fixture(scope="session")
def offline_rerun(once, offline, mnist):
    """Q1 repetido sin red con un CSV de nombre hostil, ordenado por clases, con nombres y pocas imágenes de una.

    Los parámetros entran por todas las puertas de papermill: un archivo, YAML, base 64, sin convertir y convertidos.
    Cómo acabó, lo que dijo, lo que pidió a la red y el cuaderno que deja.
    """

    def fill(folder):
        (folder / HOSTILE).parent.mkdir(parents=True)
        few = [np.flatnonzero(mnist.y_train == label)[:n] for label, n in enumerate((100, 100, 6))]
        lines = [",".join(["label", *(f"pixel{i}" for i in range(784))])]
        for name, rows in zip(("cero", "uno", "dos"), few, strict=True):
            lines += [",".join([name, *map(str, row)]) for row in np.rint(255 * mnist.x_train[rows]).astype(int)]
        (folder / HOSTILE).write_text("\n".join(lines), encoding="utf-8")
        (folder / "otros.yaml").write_text("seeds: [7]\nepochs: 4", encoding="utf-8")
        options = ["-f", "otros.yaml", "-y", "epochs: 2", "-b", base64.b64encode(b"loss_threshold: 0.5").decode()]
        options += ["-r", "model", "simple", "--inject-paths", "--inject-output-path", "-p", "data_path", HOSTILE]
        command = ["-m", "papermill", BOOK / "q1.ipynb", "salida.ipynb", "--no-progress-bar", *options]
        process, asked = offline(*command, cwd=folder)
        (folder / "dicho.json").write_text(json.dumps([process.returncode, process.stderr, asked]), "utf-8")

    folder = once("sin-red", fill)
    return *said(folder), folder / "salida.ipynb"


@pytest.fixture(scope="session")
def repeated(once, offline_rerun):
    """El libro con cuatro repeticiones y con una página y un enlace que no son suyos, construido en otra carpeta.

    Dos repeticiones son copias de lo publicado; una, la del nombre hostil; y otra, breve. Lo que dijo y sus páginas.
    """

    def fill(folder):
        reruns = copy(folder) / "corridas"
        reruns.mkdir()
        shutil.copy(BOOK / "q1.ipynb", reruns / "q1-otra.ipynb")
        shutil.copy(BOOK / "q4.ipynb", reruns / f"{ODD}.ipynb")
        shutil.copy(offline_rerun[-1], reruns / "q1-rara.ipynb")
        command = [sys.executable, "-m", "papermill", "q3.ipynb", "corridas/q3-corta.ipynb", "--no-progress-bar"]
        parameters = ["-p", "seeds", "[3]", "-p", "epochs", "1", "-p", "candidates", "[[4]]"]
        subprocess.run([*command, *parameters], cwd=folder / "book", check=True, capture_output=True)
        toc = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
        foreign = [{"file": "apuntes"}, {"url": "https://keras.io", "title": "La documentación"}]
        toc["parts"][-1]["chapters"] += foreign
        (folder / "book" / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
        (folder / "book" / "apuntes.md").write_text("# Unos apuntes\n\nNo son del informe.\n", encoding="utf-8")
        built(folder, "--path-output", folder / "fuera")

    folder = once("con-repeticiones", fill)
    code, log = said(folder)
    assert code == 0, log
    return log, folder / "fuera" / "_build" / "html"


@pytest.fixture(params=SCREENS)
def screen(request, chromium):
    """Una pestaña en cada una de las `SCREENS`, sin animaciones."""
    context = chromium.new_context(**SCREENS[request.param], reduced_motion="reduce")
    yield context.new_page()
    context.close()


@pytest.fixture
def audit():
    """Lo que se exige de una página: el tema que se pide, que axe no encuentre nada y que no se desplace de lado.

    Con todas sus reglas, también las experimentales, salvo las del nivel AAA.
    """

    def judge(page, where, context=None):
        dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        assert page.locator("html").get_attribute("data-theme") == ("dark" if dark else "light"), where
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
        page.evaluate(AXE.axe_script)
        assert page.evaluate("axe.version") == "4.14.1"
        rules = page.evaluate(
            "axe.getRules().filter(({ tags }) => !tags.includes('wcag2aaa')).map((rule) => rule.ruleId)"
        )
        options = {"resultTypes": ["violations"], "rules": {rule: {"enabled": True} for rule in rules}}
        found = AXE.run(page, context=context, options=options)
        assert not found.response["violations"], f"{where}: {found.generate_report()}"

    return judge


@pytest.fixture(scope="session")
def digits(mnist):
    """Las imágenes de la página, con sus 16 intensidades."""
    return pack_digits.reduced(pack_digits.sample(mnist))


@pytest.fixture
def trainer(site, page):
    """La página «Entrena tú», cargada."""
    page.goto((site / "entrena.html").as_uri())
    page.wait_for_selector("#entrena:not([hidden])")
    return page
