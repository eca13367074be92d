"""Formats that take a parser: each reads a file's bytes as text with headings or pages. May import nothing of the app.

They are imported by the worker alone, each with its library when a file of its format is met.
"""
