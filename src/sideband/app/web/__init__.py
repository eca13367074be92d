"""The web page: index documents, search them, ask them, and watch the server's runs. May import the app and exporters.

`jobs`, `journal` and `excerpts` are pure; `board`, `bench` and `runner` know asyncio; the rest knows Starlette.
"""
