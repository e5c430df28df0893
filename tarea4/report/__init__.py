"""El informe: palabras, tablas, figuras, parámetros y un módulo por capítulo, con sus parámetros y sus respuestas."""
