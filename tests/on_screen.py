"""What the app shows, as text."""

from textual.app import App


def said(app: App[None], selector: str) -> str:
    """Return the content of a widget that is a text."""
    return str(app.screen.query_one(selector).content)


def text_of(app: App[None]) -> str:
    """Return the screen, line by line."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(s.text for s in line) for line in lines)
