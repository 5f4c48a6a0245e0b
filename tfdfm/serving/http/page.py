"""The page at / of the REST port: a grid of a model's images, for people."""

import base64
import hashlib
import re
from importlib.resources import files

from aiohttp import web

from tfdfm.serving.models.servables import ServableStream

PAGE = files("tfdfm.serving.http").joinpath("page.html").read_text(encoding="utf-8")
_CARD = ("format", "dataset", "step", "image_size", "num_classes", "class_names")


def _source(tag: str) -> str:
    """The hash by which the page's own script or style is allowed."""
    content = re.search(f"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL).group(1)
    return f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": f"default-src 'none'; {_source('script')}; {_source('style')}; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


async def show(_: web.Request) -> web.Response:
    """Nothing is fetched from elsewhere, nothing but the page's own script runs."""
    return web.Response(body=PAGE.encode(), headers=HEADERS)


def entry(name: str, stream: ServableStream) -> dict:
    """What the page needs of one of `ServerCore.models`: JavaScript's numbers end at 2^53, and its JSON has no NaN."""
    versions = stream.available()
    bundle = stream.servables[versions[-1]].bundle
    card = {key: bundle.card.get(key) for key in _CARD}
    return {"name": name, "versions": list(map(str, versions)), "signatures": sorted(bundle.signatures), "card": card}
