"""Checks every internal link and anchor of the built book, and of the repository's own pages.

Usage: check_links.py BOOK
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

PAGES = ["*.md", ".github/**/*.md", "bsm-*/**/README.md", "fuzz/*.md", "tests/local-aws/*.md"]
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(([^)\s]+)\)|\b(?:src|href)=\"([^\"]+)\"")


class Page(HTMLParser):
    """The anchors of a page, and what it links to."""

    def __init__(self, text):
        super().__init__()
        self.anchors = set()
        self.links = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif name in ("href", "src") and tag != "base":
                self.links.append(value)


def is_internal(link):
    return not urlsplit(link).scheme and not link.startswith("//")


def check_book(book):
    pages = {path.resolve(): Page(path.read_text()) for path in sorted(book.rglob("*.html"))}
    for path, page in pages.items():
        # The one is served at any address, the other is all chapters in one.
        if path.name in ("404.html", "print.html"):
            continue
        for link in filter(is_internal, page.links):
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            where = f"{path.relative_to(book.resolve())}: {link}"
            if not target.exists():
                yield f"{where}: no such file"
            elif parts.fragment and target in pages:
                if unquote(parts.fragment) not in pages[target].anchors:
                    yield f"{where}: no such anchor"


def check_pages(root):
    """Links from one file to another, as they are followed where the sources are shown."""
    for path in sorted(path for pattern in PAGES for path in root.glob(pattern)):
        text = CODE.sub("", FENCE.sub("", path.read_text()))
        for match in LINK.finditer(text):
            link = match[1] or match[2]
            parts = urlsplit(link)
            if is_internal(link) and parts.path:
                if not (path.parent / unquote(parts.path)).exists():
                    yield f"{path.relative_to(root)}: {link}: no such file"


def main():
    book = Path(sys.argv[1])
    dead = [*check_book(book), *check_pages(Path(__file__).resolve().parent.parent)]
    for line in dead:
        print(line)
    if dead:
        sys.exit(f"{len(dead)} dead links")
    print("every internal link leads somewhere")


if __name__ == "__main__":
    main()
