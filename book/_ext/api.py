"""Docstrings en español para autodoc: traduce los tipos y la sección que numpydoc escribe con palabras inglesas."""

import re

FIELD = re.compile(r"^(?P<names>\*{0,2}\w+(?:, \w+)*) : (?P<type>.+)$")
WORDS = {"of": "de", "or": "o", "to": "a", "optional": "opcional", "shape": "forma", "sequence": "sucesión"}
WORD = re.compile(rf"\b(?:{'|'.join(WORDS)})\b")


def translate_types(app, what, name, obj, options, lines):
    """Traduce las palabras de cada línea «nombre : tipo» y el título de los atributos."""
    for i, line in enumerate(lines):
        if line == "Attributes":
            lines[i] = "Atributos"
        elif field := FIELD.match(line):
            lines[i] = f"{field['names']} : {WORD.sub(lambda word: WORDS[word[0]], field['type'])}"


def setup(app):
    """Registra la traducción antes de que napoleon lea las docstrings."""
    app.connect("autodoc-process-docstring", translate_types, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
