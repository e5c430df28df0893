"""La búsqueda: recetas, espacios, estudios que se reanudan, su lectura y lo que va más allá de Q5.

``python -m tarea4.search --help`` los sigue desde una terminal.
"""
