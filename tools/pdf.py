"""El informe en PDF, a partir del libro ya construido: ``python tools/pdf.py book/_build/html informe.pdf``.

Junta los capítulos en una sola página, sin código y con las soluciones al final, y la imprime con el Chromium del
sistema. Se imprime dos veces: en la primera se mira en qué página cae cada capítulo, y la segunda lo escribe en el
índice. Si va junto al libro, la portada enlaza con él.
"""

import json
import logging
import shutil
import sys
from datetime import datetime
from pathlib import Path

import yaml
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter

from tarea4.report.words import days

BOOK = Path(__file__).parents[1] / "book"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NOT_ON_PAPER = {"prueba", "entrena", "formulario", "corridas", "api"}  # se usan en pantalla
STYLE = """
@page { size: A4; margin: 18mm 18mm 20mm; }
html { font-size: 10.5pt; background: #fff; }
body { max-width: none; }
.portada { height: 235mm; display: flex; flex-direction: column; justify-content: center; }
.portada h1 { font-size: 30pt; }
.indice, .capitulo { break-before: page; }
.indice li { display: flex; list-style: none; }
.indice li::after { content: attr(data-page); margin-left: auto; }
h1, h2, h3 { break-after: avoid; }
tr, figure, blockquote, pre, p, .sd-card { break-inside: avoid; }
caption { break-after: avoid; }
figure.tarea4 img { width: auto; max-width: 100%; max-height: 76mm; }
figure.tarea4.alta img { max-height: 180mm; } /* las matrices y la de los pasos */
mjx-container [stroke-width="0"] { stroke: none; } /* al imprimir, una raya fina que engorda la letra */
.bd-content .output pre { font-size: 9pt; }
"""
FOOTER = {
    "display_header_footer": True,
    "header_template": "<p></p>",
    "footer_template": '<p style="width: 100%; text-align: center; font-size: 8pt" class="pageNumber"></p>',
}


def browser_path() -> str | None:
    """El navegador del sistema, si lo hay."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def chapter(site: Path, name: str, names: list[str]) -> Tag:
    """El contenido de una página, sin código y con los enlaces al libro dirigidos al documento único."""
    article = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser").find("article")
    for tag in article.select(".headerlink, .cell_input, .toctree-wrapper, .tocar, details, script"):
        tag.decompose()
    for tag in article(id=True):
        tag["id"] = f"{name}--{tag['id']}"
    for link in article("a", href=True):
        page, _, anchor = link["href"].partition("#")
        target = page.removesuffix(".html") or name
        if target in names:
            link["href"] = f"#{target}--{anchor}" if anchor else f"#{target}"
        elif target in NOT_ON_PAPER and (card := link.find_parent(class_="sd-col")):
            card.decompose()  # la tarjeta que invita a tocar algo
        elif "://" not in page:
            del link["href"]
    return article


def solutions(articles: dict[str, Tag]) -> Tag:
    """Las soluciones de los ejercicios, que se quitan de sus capítulos para juntarlas en uno."""
    last = BeautifulSoup("<article><h1>Soluciones</h1></article>", "html.parser").article
    for article in articles.values():
        if found := article.select(".solution"):
            heading = BeautifulSoup(f"<h2>{article.h1.decode_contents()}</h2>", "html.parser").h2
            last.extend([heading, *(each.extract() for each in found)])
    return last


def made() -> str:
    """Cuándo se ejecutó el último cuaderno, y con qué versiones."""
    runs = [json.loads(path.read_text("utf-8"))["metadata"]["tarea4"] for path in BOOK.glob("q*.ipynb")]
    last = max(runs, key=lambda run: run["date"])
    day, versions = days([datetime.fromisoformat(last["date"])]), last["versions"]
    return f"{day}, con Keras {versions['keras']} y TensorFlow {versions['tensorflow']}"


def document(site: Path, title: str, articles: dict[str, Tag], pages: dict[str, int]) -> str:
    """El libro en una sola página de HTML: portada, índice y capítulos."""
    with_maths = BeautifulSoup((site / "q2.html").read_text(encoding="utf-8"), "html.parser").head
    assets = with_maths.select("link[rel=stylesheet]") + [
        script for script in with_maths("script") if "mathjax" in str(script).lower()
    ]
    entries = "".join(
        f'<li data-page="{pages.get(name, "")}"><a href="#{name}">{article.h1.decode_contents()}</a></li>'
        for name, article in articles.items()
    )
    chapters = "".join(f'<div class="capitulo" id="{name}">{article}</div>' for name, article in articles.items())
    return f"""<!DOCTYPE html><html lang="es" data-theme="light"><head><meta charset="utf-8"><title>{title}</title>
{"".join(map(str, assets))}<style>{STYLE}</style></head><body><main class="bd-content"><div>
<div class="portada"><h1>{title}</h1><p>Las cinco preguntas de la «Tarea 4», contestadas con varias semillas.</p>
<p>Cuadernos ejecutados {made()}.</p></div>
<nav class="indice" aria-label="Índice"><h2>Índice</h2><ul>{entries}</ul></nav>{chapters}</div></main></body></html>"""


def main(site: Path, destination: Path) -> None:
    """Imprime en `destination` el libro construido en `site`."""
    toc, config = (yaml.safe_load((BOOK / name).read_text("utf-8")) for name in ("_toc.yml", "_config.yml"))
    names = [toc["root"], *(entry["file"] for part in toc["parts"] for entry in part["chapters"])]
    names = [name for name in names if name not in NOT_ON_PAPER]
    articles = {name: chapter(site, name, names) for name in names}
    articles["soluciones"] = solutions(articles)
    whole, pages = site / "informe.html", {}
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=browser_path()).new_page()
        for _ in range(2):
            whole.write_text(document(site, config["title"], articles, pages), encoding="utf-8")
            page.goto(whole.as_uri())
            page.evaluate("MathJax.startup.promise")
            page.pdf(path=destination, prefer_css_page_size=True, tagged=True, print_background=True, **FOOTER)
            reader = PdfReader(destination)
            places = reader.named_destinations
            pages = {name: reader.get_destination_page_number(places[f"/{name}"]) + 1 for name in articles}
    whole.unlink()
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # Chromium cuenta mal los objetos, y pypdf lo corrige
    writer = PdfWriter(clone_from=destination)
    for name, number in pages.items():
        writer.add_outline_item(title=articles[name].h1.get_text(), page_number=number - 1)
    writer.write(destination)
    for front in (site / "index.html", site / f"{toc['root']}.html") if destination.parent == site else ():
        text = front.read_text(encoding="utf-8")
        link = f'<p><a href="{destination.name}">Este libro, en PDF</a></p></article>'
        if link not in text:
            front.write_text(text.replace("</article>", link, 1), encoding="utf-8")


if __name__ == "__main__":
    main(*(Path(argument).resolve() for argument in sys.argv[1:]))
