"""La búsqueda: recetas, espacios, estudios que se reanudan, su lectura y lo que va más allá de Q5."""
