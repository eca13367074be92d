"""A program's runs in its terminal, live. May import the core and the history; rich when it is asked for."""

from sideband.exporters.console._console import console

__all__ = ["console"]
