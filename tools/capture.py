"""La imagen del README, a partir del libro ya construido: ``python tools/capture.py book/_build/html captura.png``.

Dentro lleva escritas las respuestas que se ven, y una prueba falla cuando la portada da otras.
"""

import sys
from pathlib import Path

from bs4 import BeautifulSoup
from pdf import browser_path
from PIL import Image, PngImagePlugin
from playwright.sync_api import sync_playwright

SHOWN = "respuestas"


def answers(site: Path) -> str:
    """Lo que contesta la portada de un libro construido."""
    page = BeautifulSoup((site / "intro.html").read_text(encoding="utf-8"), "html.parser")
    return " | ".join(" ".join(card.get_text(" ").split()) for card in page.select(".sd-card-body")[:5])


def main(site: Path, destination: Path) -> None:
    """Retrata la portada de `site`, tal como se abre en un portátil."""
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=browser_path()).new_page(
            viewport={"width": 1280, "height": 860}
        )
        page.goto((site / "intro.html").as_uri())
        page.screenshot(path=destination)
    notes = PngImagePlugin.PngInfo()
    notes.add_itxt(SHOWN, answers(site), lang="es")
    with Image.open(destination) as image:
        image.quantize(128).save(destination, optimize=True, pnginfo=notes)


if __name__ == "__main__":
    main(*(Path(argument).resolve() for argument in sys.argv[1:]))
