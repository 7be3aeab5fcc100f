"""YAML, TOML and JSON, read strictly, with the line of every place."""
