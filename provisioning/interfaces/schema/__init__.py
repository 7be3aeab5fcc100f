"""The documents that interfaces print and answer with: one definition, published as JSON Schema."""
