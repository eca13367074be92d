"""What a generation costs, by the public price lists that genai-prices holds. May import components."""

from __future__ import annotations

from sideband.components import Usage

__all__ = ["cost_of"]


def cost_of(usage: Usage, provider: str, model: str) -> float | None:
    """Return US dollars; None where neither the provider nor a price list says.

    A model on this machine costs nothing.
    """
    if usage.cost is not None:
        return usage.cost
    if provider in {"local", "ollama"}:
        return 0.0
    # Imported here: it takes longer than all else.
    from genai_prices import Usage as Priced  # noqa: PLC0415
    from genai_prices import calc_price  # noqa: PLC0415

    priced = Priced(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
    )
    try:
        return float(
            calc_price(priced, model_ref=model, provider_id=provider.removesuffix("-responses")).total_price
        )
    except LookupError:
        return None
