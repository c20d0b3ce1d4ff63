"""QMoE's format for ternary weights: the dictionary, rounding, and rows to codes and back (Frantar, Alistarh 2023, arXiv 2310.16795, section 4)."""

import functools
import hashlib
import heapq

import numpy as np

ZERO = 0.885  #: The share of zeros that the dictionary is made for.
LONGEST = 14  #: Pairs of digits in a string.
#: SHA-256 of the table as little-endian uint32: of section 15.1 of the reference.
TABLE_HASH = "c09862c453fe122634070a475357ff81a679aff65829d84a56f806c02a54ed45"


@functools.lru_cache
def dictionary():
    """(strings, children): strings of pair symbols by code, the most likely first, and the code of a string's extension by a symbol.

    Symbol = first digit + 3 · second. Probabilities are float64 products, pair by pair; of equal ones the first string comes first.
    """
    digit = [ZERO, (1 - ZERO) / 2, (1 - ZERO) / 2]
    pair = [digit[symbol % 3] * digit[symbol // 3] for symbol in range(9)]
    heap, strings, children, codes = [(-1.0, ())], [], {}, {}
    while len(strings) < 2**16:
        probability, string = heapq.heappop(heap)
        if string:
            codes[string] = len(strings)
            children[codes.get(string[:-1]), string[-1]] = len(strings)
            strings.append(string)
        if len(string) < LONGEST:
            for symbol in range(9):
                heapq.heappush(heap, (probability * pair[symbol], string + (symbol,)))
    return strings, children


def table():
    """Two words for each string: its length in the low 4 bits, then 4 bits for each pair, 7 in a word."""
    strings, _ = dictionary()
    words = np.zeros((len(strings), 2), np.uint32)
    for code, string in enumerate(strings):
        words[code] = len(string)
        for place, symbol in enumerate(string):
            words[code, place // 7] |= (symbol % 3 | symbol // 3 << 2) << (4 + 4 * (place % 7))
    assert hashlib.sha256(words.astype("<u4").tobytes()).hexdigest() == TABLE_HASH
    return words.ravel()


def encode(digits):
    """The codes of a row of digits: always the longest string that fits."""
    _, children = dictionary()
    even = np.append(digits, [0] * (len(digits) % 2)).reshape(-1, 2)
    codes, current = [], None
    for symbol in even[:, 0] + 3 * even[:, 1]:
        longer = children.get((current, int(symbol)))
        if longer is None:
            codes.append(current)
            longer = children[None, int(symbol)]
        current = longer
    return codes + [current]


def decode(codes, width):
    strings, _ = dictionary()
    return np.array([digit for code in codes for symbol in strings[code] for digit in (symbol % 3, symbol // 3)])[:width]


def round_row(row):
    """The digits of a row and its (lo, hi): above half of hi, below half of lo, else zero."""
    lo, hi = min(row.min(), 0.0), max(row.max(), 0.0)
    return np.where(row > hi / 2, 2, np.where(row < lo / 2, 1, 0)), (lo, hi)


def check_vectors():
    """The rows of section 15.1 of the reference."""
    assert encode(round_row(np.array([0.9, -0.2, 0.1, -0.6, 0.5, 0.3]))[0]) == [8235]
    assert encode(np.zeros(30, int)) == [25, 0] and encode(np.ones(8, int)) == [326] * 4 and encode(np.array([0, 0, 0, 2])) == [20]
