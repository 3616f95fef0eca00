"""The frame of every page: style and script inside, and a policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from harness.report.html.markup import Html, tag


def document(body: Html, title: str) -> str:
    """Return a page that loads nothing, around a body."""
    style, script = _asset("report.css"), _asset("report.js")
    # Only this very style and script may take effect: whatever a result holds cannot run or load.
    policy = (
        f"default-src 'none'; style-src '{_sha256(style)}'; script-src '{_sha256(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(style)),
        tag("script", Html(script)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', body), lang='en')}\n"


def _asset(name: str) -> str:
    path = resources.files("harness.report").joinpath("assets").joinpath(name)
    return path.read_text(encoding="utf-8")


def _sha256(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
