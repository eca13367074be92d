"""Prompts: messages made of templates, as components of the kind Prompt. May import components and what is below.

Templates are Jinja2's, in its sandbox: `pip install "sideband[prompts]"`.
"""

from sideband.prompts._errors import MissingVariableError, PromptError, TemplateError
from sideband.prompts._prompts import ChatTemplate, Placeholder, PromptTemplate

__all__ = [
    "ChatTemplate",
    "MissingVariableError",
    "Placeholder",
    "PromptError",
    "PromptTemplate",
    "TemplateError",
]
