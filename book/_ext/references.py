"""Estilo de bibliografía `plain`, con las palabras que pybtex escribe en inglés puestas en español."""

from pybtex.plugin import register_plugin
from pybtex.style import FormattedEntry
from pybtex.style.formatting import plain
from pybtex.style.template import Node

WORDS = {
    " and ": " y ",
    ", and ": " y ",
    "In": "En",
    "in": "en",
    "of": "de",
    "Volume": "Volumen",
    "volume": "volumen",
    "Number": "Número",
    "number": "número",
    "chapter": "capítulo",
    "pages": "páginas",
    "edition": "edición",
    "editor": "ed.",
    "editors": "eds.",
    "Master's thesis": "Trabajo de fin de máster",
    "PhD thesis": "Tesis doctoral",
    "Technical Report": "Informe técnico",
    " (visited on ": " (visto el ",
}


def translate(part):
    """Traduce las palabras de una plantilla de pybtex; los campos, que son sus argumentos, quedan como están."""
    if not isinstance(part, Node):
        return WORDS.get(part, part) if isinstance(part, str) else part
    translated = Node(part.name, part.f)(*part.args, **{key: translate(value) for key, value in part.kwargs.items()})
    return translated[[translate(child) for child in part.children]]


class Style(plain.Style):
    """El estilo `plain` en español."""

    def format_entry(self, label, entry, bib_data=None):
        """Como el de pybtex, con la plantilla traducida."""
        template = translate(getattr(self, f"get_{entry.type}_template")(entry))
        text = template.format_data({"entry": entry, "style": self, "bib_data": bib_data})
        return FormattedEntry(entry.key, text, label)


def setup(app):
    """Registra el estilo con el nombre del que traduce."""
    register_plugin("pybtex.style.formatting", "plain", Style, force=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
