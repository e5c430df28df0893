"""El motor: una época en una función compilada, las capas que pone en su copia de la red y lo que se recuerda.

Solo `tarea4.training` entra aquí.
"""
