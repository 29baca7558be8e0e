"""Layered settings: what there is (schema), what holds here and why (layers), changes (writing)."""
