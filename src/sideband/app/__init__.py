"""The command line and the web page: index documents with live progress, search them, ask them. May import every other layer.

Nothing is imported here, so that `sideband --help` answers at once.
"""
