"""Las respuestas a Q1-Q5 y su contraste con lo que se afirmó en 2020, redactadas a partir de lo medido."""
