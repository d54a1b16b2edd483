"""What computes behind the routes: models, queues, dynamic batching, large images."""
