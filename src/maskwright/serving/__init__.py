"""Trained models over HTTP, for programs and for people: `maskwright serve`."""

from maskwright.serving.app import create_app
from maskwright.serving.guard import LOOPBACK
from maskwright.serving.limits import Limits
from maskwright.serving.models import Models, Served, open_models
from maskwright.serving.server import bound, is_loopback, running, serve

__all__ = [
    "LOOPBACK",
    "Limits",
    "Models",
    "Served",
    "bound",
    "create_app",
    "is_loopback",
    "open_models",
    "running",
    "serve",
]
