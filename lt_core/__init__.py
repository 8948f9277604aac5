"""The training core: nouns that a paper on class-imbalanced losses has. Knows nothing of ray, optuna or mlflow.

`from lt_core import fit` has what is public; modules are imported by their full names, `import lt_core.weights`.
"""

import lazy_loader

__version__ = "0.1.0"

# What __init__.pyi names is imported when it is first asked for: who wants an error's class does not wait for torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
