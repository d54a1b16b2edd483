"""Trained models over HTTP, for programs and for people: `maskwright serve`."""

from maskwright.serving.app import create_app
from maskwright.serving.limits import Limits
from maskwright.serving.models import Models, Served, open_models
from maskwright.serving.server import bound, running
from maskwright.serving.start import serve

__all__ = [
    "Limits",
    "Models",
    "Served",
    "bound",
    "create_app",
    "open_models",
    "running",
    "serve",
]
