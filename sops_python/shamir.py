"""Shamir's secret sharing over GF(2⁸), each byte of the secret by itself.

A share is the values of the polynomials at one point, followed by the point. The field is
that of AES (x⁸+x⁴+x³+x+1). A. Shamir, "How to share a secret", 1979.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import reduce
from operator import xor


def _build_tables() -> tuple[list[int], list[int]]:
    powers, logarithms = [0] * 510, [0] * 256
    value = 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logarithms[value] = exponent
        doubled = value << 1
        value ^= doubled ^ (0x11B if doubled & 0x100 else 0)  # times the generator 3
    return powers, logarithms


_POINTS = 255
"""Points of the field at which a share can be taken: all but 0, where the secret is."""

_POWERS, _LOGARITHMS = _build_tables()


def _multiply(one: int, other: int) -> int:
    return _POWERS[_LOGARITHMS[one] + _LOGARITHMS[other]] if one and other else 0


def _divide(one: int, other: int) -> int:
    return _POWERS[_LOGARITHMS[one] - _LOGARITHMS[other] + 255] if one else 0


def split(secret: bytes, parts: int, threshold: int) -> list[bytes]:
    """Split *secret* into *parts* shares, any *threshold* of which give it back.

    Raises:
        ValueError: Unless 2 ≤ threshold ≤ parts ≤ 255.
    """
    if parts < threshold:
        raise ValueError("parts cannot be less than threshold")
    if parts > _POINTS:
        raise ValueError("parts cannot exceed 255")
    if threshold < 2:  # noqa: PLR2004  one share would be the secret itself
        raise ValueError("threshold must be at least 2")
    points = list(range(1, _POINTS + 1))
    secrets.SystemRandom().shuffle(points)
    polynomials = [(byte, *secrets.token_bytes(threshold - 1)) for byte in secret]
    return [
        bytes([*(_evaluate(polynomial, point) for polynomial in polynomials), point])
        for point in points[:parts]
    ]


def _evaluate(polynomial: Sequence[int], point: int) -> int:
    return reduce(lambda sum_, term: _multiply(sum_, point) ^ term, reversed(polynomial))


def combine(shares: Sequence[bytes]) -> bytes:
    """Return the secret that *shares* are of; too few or false ones give another secret.

    Raises:
        ValueError: If they are fewer than two, of different lengths, or of the same point.
    """
    points = [share[-1] for share in shares if share]
    lengths = {len(share) for share in shares}
    if len(points) < 2 or len(lengths) > 1 or len(set(points)) < len(points):  # noqa: PLR2004
        raise ValueError("shares are two or more, of one length, each of another point")
    weights = [
        reduce(_multiply, (_divide(other, other ^ point) for other in points if other != point), 1)
        for point in points
    ]
    columns = zip(*(share[:-1] for share in shares), strict=True)
    return bytes(reduce(xor, map(_multiply, column, weights)) for column in columns)
