"""What people are shown: objects on pictures, figures, and in a notebook tables and progress.

IPython is never imported, only looked up where a notebook has loaded it.
"""
