"""Which pixel of a portrait shows what: a per-clip network, the mouth, and how steady masks are."""
