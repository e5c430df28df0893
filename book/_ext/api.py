"""Docstrings en español para autodoc: traduce lo que numpydoc y Python escriben con palabras inglesas."""

import re

FIELD = re.compile(r"^(?P<names>\*{0,2}\w+(?:, \w+)*) : (?P<type>.+)$")
WORDS = {"of": "de", "or": "o", "to": "a", "optional": "opcional", "shape": "forma", "sequence": "sucesión"}
INITIAL = re.compile(r"^([A-Z])\. ")  # de un nombre; al empezar una línea sería una lista
WORD = re.compile(rf"\b(?:{'|'.join(WORDS)})\b")


def translate_types(app, what, name, obj, options, lines):
    """Traduce las palabras de cada línea «nombre : tipo» y el título de los atributos; calla lo que pone Python."""
    lines[:] = [INITIAL.sub(r"\1\\. ", line) for line in lines if not line.startswith("Alias for field number")]
    for i, line in enumerate(lines):
        if line == "Attributes":
            lines[i] = "Atributos"
        elif field := FIELD.match(line):
            lines[i] = f"{field['names']} : {WORD.sub(lambda word: WORDS[word[0]], field['type'])}"


def setup(app):
    """Registra la traducción antes de que napoleon lea las docstrings."""
    app.connect("autodoc-process-docstring", translate_types, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
