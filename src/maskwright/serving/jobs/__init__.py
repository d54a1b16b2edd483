"""Work behind the routes: models and their engines, the queue of requests, inference on uploads.

Nothing here knows HTTP or a task: models come from `Task.serve`.
"""
