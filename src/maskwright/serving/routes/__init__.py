"""Routes of the server: for programs, for the Open Inference Protocol, for the page."""
