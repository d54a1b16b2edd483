"""Names of classes and files as Matplotlib prints them."""


def plain_text(name: str) -> str:
    """A name in which Matplotlib sees no formula."""
    return name.replace("$", r"\$")
