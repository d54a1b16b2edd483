"""Trained models over HTTP, for programs and for people: `maskwright serve`."""

from maskwright.serving.jobs.models import Models, Served, open_models
from maskwright.serving.launch import serve
from maskwright.serving.limits import Limits
from maskwright.serving.routes.app import create_app
from maskwright.serving.server import bound, running

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
