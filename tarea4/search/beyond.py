"""Las recetas de «Más allá» de Q5, que tardan minutos por semilla: cada una, su diferencia con otra."""

from tarea4.search.recipes import Recipe

COSINE = {"weight_decay": 0.05, "schedule": "coseno", "batch_size": 256}
SMALL = {"hidden_sizes": (142, 70, 32), "activation": "gelu", "learning_rate": 4e-3, "pool": True} | COSINE
SOFT = SMALL | {"dropout": 0.1, "dropout_hidden": 0.15, "epochs": 80}
LARGE = {"noise": 0.3, "noise_hidden": 0.3, "learning_rate": 3e-3} | COSINE
RECIPES = {
    "imagen reducida": Recipe(**SOFT),
    "imagen reducida, suavizado de etiquetas": Recipe(**SOFT, label_smoothing=0.05),
    "imagen reducida, FGSM": Recipe(**SMALL, noise=0.1, epsilon=0.06, epochs=200),
    "grande": Recipe((1000, 500, 250, 250, 250), **LARGE, epochs=60),
    "grande, FGSM": Recipe((1000, 500, 250, 250), **LARGE, epsilon=0.1, epochs=80),
    "grande, transformaciones afines":
        Recipe((1024, 512), dropout=0.1, learning_rate=3e-3, augment=True, epochs=80, **COSINE),
}  # fmt: skip
