"""Lo que comparten las pruebas de las páginas: las pantallas, lo que se exige en todas y «Entrena tú» cargada."""

from pathlib import Path

import pack_digits
import pytest
from axe_playwright_python.sync_playwright import Axe

# axe-core 4.14.1, de npm (MPL 2.0); el que trae axe-playwright-python es más antiguo
AXE = Axe.from_file(Path(__file__).with_name("axe.min.js"))
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 900}
SCREENS = {
    "1280 px, claro": {"viewport": WIDE},
    "1280 px, oscuro": {"viewport": WIDE, "color_scheme": "dark"},
    "360 px, claro": {"viewport": NARROW},
    "360 px, oscuro": {"viewport": NARROW, "color_scheme": "dark"},
    "1280 px al 200 %": {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2},
    "colores forzados": {"viewport": WIDE, "forced_colors": "active"},
}


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
        page.evaluate(AXE.axe_script)
        assert page.evaluate("axe.version") == "4.14.1"
        rules = page.evaluate(
            "axe.getRules().filter(({ tags }) => !tags.includes('wcag2aaa')).map((rule) => rule.ruleId)"
        )
        options = {"resultTypes": ["violations"], "rules": {rule: {"enabled": True} for rule in rules}}
        found = AXE.run(page, context=context, options=options)
        assert not found.response["violations"], f"{where}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where

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
