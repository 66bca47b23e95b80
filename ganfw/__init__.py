"""ganfw: GAN experiments in PyTorch, assembled by recipes from registered parts.

Everything public is here by name, as listed in `__init__.pyi`; importing `ganfw` itself imports neither torch nor any
plugin.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
