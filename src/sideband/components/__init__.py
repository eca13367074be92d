"""Typed payloads that generation, graphs and servings share. May import runs and what is below observe."""

from sideband.components._payloads import Document, EmbeddingInput, EmbeddingOutput, Usage

__all__ = ["Document", "EmbeddingInput", "EmbeddingOutput", "Usage"]
