"""Trained models over HTTP, for programs and for people: `maskwright serve`.

Rooms: `routes` (HTTP), `jobs` (models, queue, inference), `store` (images and files), `page` (files
of the browser). What differs by task comes from `Task.serve`.
"""

from maskwright.serving.jobs.model_registry import ModelRegistry, open_models
from maskwright.serving.limits import ServerLimits
from maskwright.serving.routes.app import create_app
from maskwright.serving.server import bind, run_in_thread, serve

__all__ = [
    "ModelRegistry",
    "ServerLimits",
    "bind",
    "create_app",
    "open_models",
    "run_in_thread",
    "serve",
]
