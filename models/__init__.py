"""The networks, one file each; importing the package registers them all."""

from models import convnet_revisited, digits

__all__ = ["convnet_revisited", "digits"]
