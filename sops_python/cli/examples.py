"""The examples with which a new file opens in the editor."""

from __future__ import annotations

_WELCOME = "Welcome! Edit this file as you please!"

EXAMPLES = {
    "yaml": f"""hello: {_WELCOME}
example_key: example_value
# Example comment
example_array:
    - example_value1
    - example_value2
example_number: 1234.56789
example_booleans:
    - true
    - false
""",
    "json": f"""{{
\t"hello": "{_WELCOME}",
\t"example_key": "example_value",
\t"example_array": [
\t\t"example_value1",
\t\t"example_value2"
\t],
\t"example_number": 1234.56789,
\t"example_booleans": [
\t\ttrue,
\t\tfalse
\t]
}}
""",
    "dotenv": f"""# This is an example file.
hello={_WELCOME}
example_key=example_value
example_multiline=first\\nsecond\\nthird
""",
    "ini": f"""; This is an example file.
[Welcome!]
hello       = {_WELCOME}
example_key = example_value
""",
    "binary": _WELCOME,
}
"""An example of each format, by the name of its store."""
