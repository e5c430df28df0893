"""El libro como lo ve quien lo lee: en un navegador, sin conexión, en español, con teclado y en cualquier pantalla."""

import functools
import gzip
import http.server
import io
import re
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import capture
import nbformat
import pdf
import pytest
from bs4 import BeautifulSoup
from building import BOOK, contents
from nbval_numbers import differences
from nbval_reading import read
from PIL import Image
from pypdf import PdfReader

import tarea4
from tarea4.report.words import days

ROOT = BOOK.parent
PAGES = [*contents(), "search"]
# palabras de la interfaz inglesa de Sphinx, sus temas y extensiones, y de numpydoc; ninguna lo es del español
ENGLISH = re.compile(
    r"\b(the|and|of|for|with|to|this|your|search|searching|results?|found|toggle|page|next|previous|show|hide|click|copy"
    r"|copied|download|source|theme|light|dark|auto|skip|content|contents|back|top|link|heading|table|figure|index|home"
    r"|close|open|menu|sidebar|navigation|print|full|screen|code|cell|edit|parameters|returns|raises|attributes|bases"
    r"|references|type|optional|copyright|powered|built|updated|main|warning|note)\b",
    re.IGNORECASE,
)
TEXTS = """() => {
  const attributes = ["title", "aria-label", "alt", "placeholder", "data-tooltip", "data-bs-title"];
  const found = [document.title];
  for (const element of document.querySelectorAll("*:not(a.reference)"))
    for (const name of attributes) if (element.hasAttribute(name)) found.push(element.getAttribute(name));
  // del contenido, solo lo que no escribe una persona: botones, plegables, rótulos de autodoc y del buscador
  const ours = "script, style, noscript, article pre, article code, article a, .sig";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    const written = parent.closest("article p, article li, article td, article .math, mjx-container");
    if (!parent.closest(ours) && (!written || parent.closest("summary, button, label, #search-results")))
      found.push(walker.currentNode.data);
  }
  return found;
}"""
FOCUS = """() => {
  const element = document.activeElement, { outlineStyle, boxShadow } = getComputedStyle(element);
  if (element === document.body) return null;
  element.dataset.reached = "1";
  return { html: element.outerHTML.slice(0, 120), visible: outlineStyle !== "none" || boxShadow !== "none" };
}"""
MISSED = """() => [...document.querySelectorAll("a[href], button, select, summary, input, [tabindex='0']")].filter(
  (element) => element.checkVisibility({ checkVisibilityCSS: true }) && !element.disabled && !element.dataset.reached
    && !(element.closest("details:not([open])") && element.tagName !== "SUMMARY")
).map((element) => element.outerHTML.slice(0, 120))"""


class GzipHandler(http.server.SimpleHTTPRequestHandler):
    """Sirve los archivos comprimidos, como un servidor de páginas."""

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        body = gzip.compress(path.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Calla: la salida es de las pruebas."""


@pytest.fixture(scope="module")
def served(site):
    """Dirección de un servidor local del libro."""
    handler = functools.partial(GzipHandler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_offline_and_private(scheme, site, served, page):
    """Ninguna página pide nada de fuera, ni algo que no exista, ni da un error, desde el disco o desde un servidor."""
    base, asked, wrong = site.as_uri() + "/" if scheme == "file" else served, [], []
    page.on("request", lambda request: asked.append(request.url))
    # lo que el propio navegador deja a medias al pasar de página (una letra que ya no hace falta) no es que falte
    page.on("requestfailed", lambda lost: "ERR_ABORTED" in lost.failure or wrong.append(f"{lost.url}: {lost.failure}"))
    page.on("response", lambda response: response.status < 400 or wrong.append(response.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for name in PAGES:
        page.goto(f"{base}{name}.html", wait_until="networkidle")
        page.evaluate("document.fonts.ready.then(() => null)")
    assert len(asked) > len(PAGES)
    assert not [url for url in asked if not url.startswith((base, "data:"))]
    assert not [problem for problem in wrong if "favicon" not in problem]


def test_maths_render(site, page):
    """Las fórmulas de Q2 se dibujan, sin errores, y solo se pide MathJax donde hay fórmulas."""
    texts = {name: (site / f"{name}.html").read_text("utf-8") for name in [*PAGES, "index"]}
    with_maths = {name for name, text in texts.items() if re.search(r'class="[^"]*\bmath\b', text)}
    assert with_maths == {name for name, text in texts.items() if "tex-svg.js" in text} >= {"q2"}
    for name in with_maths:
        page.goto((site / f"{name}.html").as_uri())
        page.wait_for_function("window.MathJax?.startup?.promise")
        page.evaluate("MathJax.startup.promise")
        assert page.locator(".math").count() == page.locator(".math mjx-container svg").count() > 0
        assert not page.locator("[data-mjx-error]").count()


def test_interface_is_in_spanish(site, page):
    """No queda una palabra inglesa de la interfaz en el texto ni en los atributos de ninguna página."""
    for name in [*PAGES, "search.html?q=softmax", "search.html?q=xyzzy"]:
        page.goto(f"{site.as_uri()}/{name if '?' in name else name + '.html'}")
        if "?" in name:
            page.wait_for_function("/[Ee]ncontr|coincid/.test(document.querySelector('#search-results').innerText)")
        assert page.locator("html").get_attribute("lang") == "es"
        # los nombres de módulos, funciones y archivos no se traducen
        texts = [
            re.sub(r"\btarea4(\.\w+)*|\w+\(\)|\w*\.(py|md|ipynb|pdf)\b", "", text) for text in page.evaluate(TEXTS)
        ]
        assert not [text.strip() for text in texts if ENGLISH.search(text)], name


def test_accessible(screen, audit, site):
    """Con axe no se encuentra nada en ninguna página, con todo desplegado; nada se corta ni se desplaza de lado."""
    for name in PAGES:
        screen.goto((site / f"{name}.html").as_uri(), wait_until="load")
        screen.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
        audit(screen, name)
        cut = "[...document.querySelectorAll('pre')].filter((one) => one.scrollWidth > one.clientWidth).length"
        assert not screen.evaluate(cut), name


def test_figures_are_described(site):
    """Toda imagen dice qué enseña; las curvas y las matrices llevan sus números. Ninguna se cita sin que esté."""
    pages = [BeautifulSoup((site / f"{name}.html").read_text("utf-8"), "html.parser") for name in contents()]
    figures = [figure for page in pages for figure in page("figure", class_="tarea4")]
    assert len(figures) > 10
    assert len([link for page in pages for link in page.select("a .std-numref")]) > 10
    assert not [page.title for page in pages if "figura que falta" in page.text]
    for figure in figures:
        alt = figure.img["alt"]
        assert len(alt) > 40, alt
        assert figure.img["src"].startswith("data:image/svg+xml"), alt
        assert figure.select("details table") or not re.match(r"(Curva|Matri)", alt), alt


@pytest.mark.parametrize("width", [1000, 1150, 1200, 1280])
def test_buttons_hold_their_text(width, site, page):
    """A ningún botón se le sale el texto, tampoco con el índice estrecho."""
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((site / "q1.html").as_uri())
    cut = "(all) => all.filter((one) => one.scrollWidth > one.clientWidth && one.checkVisibility())"
    cut += ".map((one) => one.outerHTML)"
    assert page.locator("button").evaluate_all(cut) == []


def test_figures_follow_the_theme(site, page):
    """En el tema oscuro, ninguna figura es una losa blanca, salvo la que reproduce los colores de 2020."""
    for theme, dark in (("light", False), ("dark", True)):
        page.emulate_media(color_scheme=theme)
        page.goto((site / "q1.html").as_uri())
        for image in page.locator("figure.tarea4 img").all():
            corner = Image.open(io.BytesIO(image.screenshot())).convert("L").getpixel((20, 5))
            assert (corner < 60) == (dark and "mapa jet" not in image.get_attribute("alt"))


@pytest.mark.parametrize("name", ["index", "q2", "prueba", "search"])
def test_keyboard_reaches_everything(name, site, page):
    """El tabulador llega a todo lo que se puede accionar, y se ve dónde está."""
    page.goto((site / f"{name}.html").as_uri())
    page.wait_for_timeout(300)  # el tema añade paradas al terminar de cargar
    reached = []
    for _ in range(500):
        page.keyboard.press("Tab")
        if not (focused := page.evaluate(FOCUS)):
            break
        reached.append(focused)
    assert len(reached) > 10
    assert not [one["html"] for one in reached if not one["visible"]]
    assert not page.evaluate(MISSED)


def test_first_page_is_light(site, served, page):
    """Abrir la portada pide menos de 900 kB, y el libro entero ocupa menos de 15 MB."""
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) <= 15e6
    sizes = []
    page.on("response", lambda response: sizes.append(int(response.headers.get("content-length", 0))))
    page.goto(f"{served}index.html", wait_until="networkidle")
    assert 20e3 < sum(sizes) <= 900e3


def test_internal_links_exist(site):
    """Cada enlace interno lleva a una página y a un apartado que existen."""
    soups = {path: BeautifulSoup(path.read_text("utf-8"), "html.parser") for path in site.glob("*.html")}
    ids = {path: {tag["id"] for tag in soup(id=True)} for path, soup in soups.items()}
    checked = 0
    for path, soup in soups.items():
        for link in soup("a", href=True):
            url, anchor = urldefrag(urljoin(path.as_uri(), link["href"]))
            if not url.startswith("file:"):
                continue
            target = Path(unquote(url.removeprefix("file://")))
            assert target.is_file(), f"{path.name}: {link['href']}"
            assert not anchor or target not in ids or anchor in ids[target], f"{path.name}: {link['href']}"
            checked += 1
    assert checked > 100


def test_a_rerun_is_compared_with_the_published(site, repeated):
    """Una repetición hecha con papermill aparece en «Repeticiones» con sus parámetros, las diferencias y su enlace."""
    assert "Aún no hay ninguna" in (site / "corridas.html").read_text("utf-8")
    _, html = repeated
    soup = BeautifulSoup((html / "corridas.html").read_text("utf-8"), "html.parser")
    title = soup.select_one('p a[href="corridas/q3-corta.html"]').find_parent("p")
    table = title.find_next("table", class_="tarea4")
    assert (html / title.a["href"]).is_file()
    assert {"seeds = [3]", "epochs = 1"} <= {code.text for code in title("code")}
    rows = {tuple(row[:2]): row[2:] for row in ([cell.text for cell in row("td")] for row in table.tbody("tr"))}
    assert rows["", "veredicto"][2] == "cambia"
    assert rows["4", "exactitud (%), prueba"][::2] == ["—", "sin pareja"]  # una red que lo publicado no tiene
    published, rerun, difference = rows["40-50-15", "exactitud (%), prueba"]
    published, rerun, difference = (
        float(text.partition(" ")[0].replace(",", ".").replace("−", "-")) for text in (published, rerun, difference)
    )
    assert difference == pytest.approx(rerun - published)
    assert difference < 0  # una sola época


def test_pdf(site, browser_path, tmp_path):
    """El PDF tiene portada, índice con páginas, soluciones al final y etiquetas; va sin código."""
    subprocess.run([sys.executable, ROOT / "tools" / "pdf.py", site, tmp_path / "informe.pdf"], check=True)
    assert (tmp_path / "informe.pdf").stat().st_size <= 5e6
    report = PdfReader(tmp_path / "informe.pdf")
    texts = [page.extract_text() for page in report.pages]
    assert report.root_object["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in report.root_object
    assert report.root_object["/Lang"] == "es"
    assert all(re.search(rf"(?m)^{number}$", text) for number, text in enumerate(texts, 1))
    assert "check_parameters" not in "".join(texts)
    assert "Escribe un dígito" not in "".join(texts)  # en papel no se puede
    *entries, last = report.outline
    titles = [entry["/Title"] for entry in entries]
    chapters = re.findall(r"^(?:root| +- file): (\S+)", (BOOK / "_toc.yml").read_text("utf-8"), re.MULTILINE)
    assert last["/Title"] == "Soluciones"
    assert len(titles) == len(set(chapters) - pdf.NOT_ON_PAPER) > 5
    first = report.get_destination_page_number(last)
    asked, solved = "".join(texts[:first]), "".join(texts[first:])
    assert solved.count("Solución a") > 15
    assert "Solución a" not in asked
    dates = [nbformat.read(path, 4).metadata.tarea4.date for path in BOOK.glob("q?.ipynb")]
    assert days([datetime.fromisoformat(max(dates))]) in " ".join(texts[0].split())
    for entry, title in zip(entries, titles, strict=True):
        number = report.get_destination_page_number(entry)
        words = " ".join(texts[number].split())
        assert title in words, title
        assert f"{title} {number + 1}" in " ".join(texts[1].split())
    annotations = [note.get_object() for page in report.pages for note in page.get("/Annots", [])]
    assert not [note for note in annotations if "file:" in str(note.get("/A"))]


def test_workflows_follow_the_schema():
    """Los flujos de trabajo de GitHub cumplen su esquema."""
    files = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *files]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout


def test_citation_is_valid():
    """CITATION.cff cumple el esquema de su formato, y su versión es la del paquete."""
    path = ROOT / "CITATION.cff"
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format", path]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout
    assert f"version: {tarea4.__version__}\n" in path.read_text(encoding="utf-8")


def test_the_picture_in_the_readme_is_of_this_book(site):
    """La imagen del README lleva escritas las respuestas que enseña, y son las de la portada, salvo lo dudoso."""
    with Image.open(BOOK / "_static" / "captura.png") as picture:
        shown, now = (read("text/plain", text) for text in (picture.info[capture.SHOWN], capture.answers(site)))
    assert not [*differences(shown, now, {})], "hay que rehacerla: make captura"
    assert "Q5" in now[0].text
