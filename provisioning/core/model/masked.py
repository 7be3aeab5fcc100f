"""Values that hold something secret, and do not tell it when they are printed."""

from __future__ import annotations

import msgspec


class Masked(msgspec.Struct, frozen=True):
    """A value whose repr tells its type alone."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"
