"""Words for packages: brand names made up from syllables, adjectives, small print."""

import numpy as np

_STARTS = (
    "Al",
    "Bel",
    "Bran",
    "Cal",
    "Cor",
    "Dal",
    "El",
    "Fen",
    "Gal",
    "Har",
    "Il",
    "Jun",
    "Kal",
    "Lor",
    "Mar",
    "Nor",
    "Ol",
    "Pal",
    "Quin",
    "Ros",
    "Sol",
    "Tal",
    "Ul",
    "Ver",
    "Wil",
    "Yar",
    "Zan",
    "Bri",
    "Cra",
    "Dru",
    "Fli",
    "Gro",
    "Plu",
    "Sko",
    "Tri",
)
_MIDDLES = ("a", "e", "i", "o", "u", "ani", "ero", "ilo", "ova", "ume", "andi", "ette", "ingo", "omba", "uri", "")
_ENDS = (
    "no",
    "ra",
    "lia",
    "ton",
    "vy",
    "co",
    "mo",
    "ster",
    "dale",
    "zi",
    "na",
    "max",
    "lo",
    "bury",
    "field",
    "nia",
    "wa",
    "xo",
    "pan",
    "dor",
    "gold",
    "vita",
    "kin",
    "berg",
)
_TITLES = ("",) * 16 + ("Casa ", "Old ", "Little ", "Royal ", "La ", "Chef ", "Uncle ", "Miss ")
_TAILS = ("",) * 10 + (" & Co", " Farm", " Bros", " Gold", " Mills", " House", "'s")
_ADJECTIVES = ("", "", "", "Wild ", "Sweet ", "Golden ", "Classic ", "Fresh ", "Royal ", "Sunny ", "Rich ", "Pure ")

SMALL_PRINT = (
    "INGREDIENTS",
    "KEEP COOL AND DRY",
    "BEST BEFORE: SEE LID",
    "PLEASE RECYCLE",
    "PRODUCT OF",
    "MAY CONTAIN NUTS",
    "SERVING SUGGESTION",
    "SHAKE WELL",
    "OPEN HERE",
    "STORE BELOW 20 C",
)


def brand_name(rng: np.random.Generator) -> str:
    """A made-up brand name of one to three words."""
    stem = _pick(rng, _STARTS) + _pick(rng, _MIDDLES) + _pick(rng, _ENDS)
    name = _pick(rng, _TITLES) + stem
    return name + _pick(rng, _TAILS) if " " not in name else name


def adjective(rng: np.random.Generator) -> str:
    """A word to stand before every flavour of a brand, with its blank, or nothing."""
    return _pick(rng, _ADJECTIVES)


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]
