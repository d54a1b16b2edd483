"""HTTP routes: for programs, for the Open Inference Protocol, for the page.

A route calls jobs and store and encodes their results; new routes are a module and a line in
`app.create_app`. A new download format is a function and a line in `downloads.DOWNLOADS`.
"""
