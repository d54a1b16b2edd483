"""A reader of HTML."""

from html.parser import HTMLParser


class Tags(HTMLParser):
    """Addresses of a page, and tags that were opened and not closed."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        """Tags that close themselves, as in SVG, stay closed."""
