"""Lo que comparten las pruebas de «Entrena tú»: sus imágenes y la página cargada."""

import pack_digits
import pytest


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
