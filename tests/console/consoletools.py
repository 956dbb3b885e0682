"""What the browser sends to a console, and what the console shows for it."""

from __future__ import annotations


def clicked(console, verb, *arguments, step=None, at_ms=None, options=None):
    """What console.js sends: the reader stands at `step`, by default where the run stands."""
    step, moves = console.run.step if step is None else step, console.scene.stand["heard"] + 1
    message = {
        "verb": verb,
        "arguments": list(arguments),
        "at_ms": at_ms,
        "options": options,
        "step": step,
        "moves": moves,
    }
    console.scene._handle_custom_msg(message, [])
    console.scene._handle_custom_msg({"verb": "panels"}, [])


def said(console):
    return console.scene.said["text"]


def panel(console, name):
    return next(panel["blocks"] for panel in console.scene.panels if panel["name"] == name)


def block(console, name, kind):
    """What a panel has of a kind: the first block's content."""
    return next(content for found, *content in panel(console, name) if found == kind)
