"""What stands in a page of the built site: anchors, links, what it loads, and the descriptions of documented names."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
LOADS = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}


class Page(HTMLParser):
    """One page, read.

    >>> page = Page('<h2 id="a">x</h2><a href="b/#c">y</a><img src="d.svg"><p id="e">')
    >>> sorted(page.anchors), page.links, page.loaded
    (['a', 'e'], ['b/#c'], ['d.svg'])
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.described: dict[str, str] = {}
        """By documented name the text below its heading."""
        self._within: list[tuple[str, bool]] = []
        self._name = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = given.get("class", "").split()
        self.anchors |= {given[name] for name in ("id", "name") if name in given and (name == "id" or tag == "a")}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.loaded += [
            given[name] for one, name in LOADS if one == tag and name in given and given.get("rel") != "canonical"
        ]
        if "doc-heading" in classes:
            self._name = given["id"]
            self.described[self._name] = ""
        if tag not in VOID:
            self._within.append((tag, "doc-contents" in classes))

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop()[0] != tag:
            pass  # elements that need no end

    def handle_data(self, data: str) -> None:
        if self._name and any(is_contents for _, is_contents in self._within):
            self.described[self._name] += data.strip()


def pages(site: Path) -> dict[Path, Page]:
    """Every page of a site, by its file."""
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def broken(site: Path, read: dict[Path, Page]) -> list[str]:
    """Links of pages to files or anchors that are not there."""
    return [
        f"{path.relative_to(site)}: {link}"
        for path, page in read.items()
        for link in [*page.links, *page.loaded]
        if not urlsplit(link).scheme and not urlsplit(link).netloc and not _is_there(site, path, link, read)
    ]


def _is_there(site: Path, path: Path, link: str, read: dict[Path, Page]) -> bool:
    where, anchor = urldefrag(unquote(link))
    where = where.partition("?")[0]
    target = (site / where.lstrip("/")) if where.startswith("/") else (path.parent / where)
    target = (path if not where else target).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return False
    return not anchor or target not in read or anchor in read[target].anchors or anchor == "__tabbed"
