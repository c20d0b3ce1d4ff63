"""Compiles com.microsoft's Attention, QAttention, SparseAttention and EmbedLayerNormalization and compares with ONNX Runtime on random inputs.

usage: check_packed_attention.py
"""
import itertools
import sys

import numpy as np

import moe_opt
from node_cases import Cases

cases = Cases(seed=11)
add, const, given, floats = cases.add, cases.const, cases.given, cases.floats
HEADS, SIZE, BATCH = 4, 8, 2


def masks(past, block):
    """mask_index in the forms that ONNX Runtime's CPU provider has."""
    total, rng = past + block, cases.rng
    yield None
    yield np.array([total, max(1, past + block - 2)], np.int32)
    yield np.array([total, total - 1, 0, 1], np.int32)
    yield np.array([total, total - 1, 0, block, 2 * block, 0, total, 2 * total], np.int32)
    yield (rng.random((BATCH, total)) < 0.7).astype(np.int32)
    yield (rng.random((BATCH, block, total)) < 0.7).astype(np.int32)
    if total > 1:
        yield np.ones((BATCH, 1), np.int32)


def attention(past, block):
    hidden = HEADS * SIZE
    weights, bias, x = const(floats(24, 3 * hidden) / 4), const(floats(3 * hidden)), given(floats(BATCH, block, 24))
    state = given(floats(2, BATCH, HEADS, past, SIZE)) if past else ""
    added = given(floats(1, HEADS, block, past + block))
    # ONNX Runtime takes either a past or an attention_bias.
    for mask, causal, extra in itertools.product(masks(past, block), (0, 1), ("",) if past else ("", added)):
        mask = "" if mask is None else given(mask)
        add("Attention", [x, weights, bias, mask, state, extra], 2, num_heads=HEADS, unidirectional=causal)
    add("Attention", [x, weights, bias, given((cases.rng.random((BATCH, past + block)) < 0.5).astype(np.int32)), state], 2, num_heads=HEADS, mask_filter_value=-3.0)
    if not past:
        wide = const(floats(24, 2 * hidden + HEADS * 5) / 4)
        add("Attention", [x, weights, bias], 1, num_heads=HEADS, scale=0.2)
        add("Attention", [x, wide, const(floats(2 * hidden + HEADS * 5))], 1, num_heads=HEADS, qkv_hidden_sizes=[hidden, hidden, HEADS * 5])
    cases.check(f"Attention, {block} behind {past}", 2e-5)


def without_kernel(past, block):
    """What ONNX Runtime's CPU provider has no kernel for, by the schema's text in numpy: no bias, a past with an attention_bias, a mask of four dims, do_rotary."""
    hidden, total = HEADS * SIZE, past + block
    x, weights, state, added = floats(BATCH, block, 24), floats(24, 3 * hidden) / 4, floats(2, BATCH, HEADS, past, SIZE), floats(1, HEADS, block, total)
    square = (cases.rng.random((BATCH, 1, total + 3, total + 3)) < 0.6).astype(np.int32)
    names = [given(x), const(weights)]
    for rotary, masked, biased in itertools.product((0, 4, SIZE), (False, True), (False, True)):
        attributes = {"do_rotary": 1, "rotary_embedding_dim": rotary} if rotary else {}
        outputs = add("Attention", [*names, "", given(square) if masked else "", given(state) if past else "", given(added) if biased else ""], 2, num_heads=HEADS, **attributes)
        query, key, value = ((x @ weights).reshape(BATCH, block, 3, HEADS, SIZE).transpose(2, 0, 3, 1, 4))
        if rotary:
            angles = np.arange(past, total)[:, None] / 10000 ** (np.arange(0, rotary, 2) / rotary)
            def turn(v):
                first, second = v[..., :rotary // 2], v[..., rotary // 2:rotary]
                return np.concatenate([first * np.cos(angles) - second * np.sin(angles), second * np.cos(angles) + first * np.sin(angles), v[..., rotary:]], -1)
            query, key = turn(query), turn(key)
        key, value = (np.concatenate([old, new], 2) for old, new in ((state[0], key), (state[1], value)))
        scores = query @ key.swapaxes(2, 3) / np.sqrt(SIZE) + (added if biased else 0) + (np.where(square[:, :, past:total, :total], 0, -10000) if masked else 0)
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        result = (powers / powers.sum(-1, keepdims=True) @ value).transpose(0, 2, 1, 3).reshape(BATCH, block, hidden)
        cases.formulas.update(zip(outputs, (result.astype(np.float32), np.stack([key, value]).astype(np.float32))))
    cases.check(f"Attention by its formula, {block} behind {past}", 2e-5)


def quantised(past, block):
    hidden = HEADS * SIZE
    state = given(floats(2, BATCH, HEADS, past, SIZE)) if past else ""
    for dtype, columns, causal, masked in itertools.product((np.uint8, np.int8), (False, True), (0, 1), (False, True)):
        w = const(cases.codes(dtype, 24, 3 * hidden), dtype)
        scale = const(cases.rng.uniform(0.005, 0.01, 3 * hidden) if columns else 0.01)
        zero = const(np.full(3 * hidden, 128 if dtype == np.uint8 else 0) if columns else 3, dtype)
        mask = given(np.array([past + block, 1], np.int32)) if masked else ""
        add("QAttention", [given(cases.codes(np.uint8, BATCH, block, 24)), w, const(floats(3 * hidden)), const(0.02), scale, mask, const(117, np.uint8), zero, state],
            2, num_heads=HEADS, unidirectional=causal)
    cases.check(f"QAttention, {block} behind {past}", 2e-4)


def embedding():
    for ids, segments, mask, places, wanted in itertools.product((np.int32,), (False, True), (False, True), (None, 1, BATCH), ([True] * 3, [True, True], [True, False, True])):
        words = given(cases.rng.integers(0, 30, (BATCH, 5)).astype(ids))
        segment = given(cases.rng.integers(0, 2, (BATCH, 5)).astype(ids)) if segments else ""
        add("EmbedLayerNormalization",
            [words, segment, const(floats(30, 16)), const(floats(12, 16)), const(floats(2, 16)) if segments else "", const(floats(16)), const(floats(16)),
             given(np.array([[1, 1, 1, 0, 0], [1] * 5], ids)) if mask else "", given(cases.rng.integers(0, 12, (places, 5)).astype(ids)) if places else ""],
            wanted, epsilon=1e-5)
    cases.check("EmbedLayerNormalization")


def layouts(count, blocks):
    """Random causal block masks with their diagonals, as rows and columns."""
    mask = np.tril(cases.rng.random((count, blocks, blocks)) < 0.4) | np.eye(blocks, dtype=bool)
    rows = np.concatenate([np.zeros((count, 1), int), mask.sum(2).cumsum(1)], 1).astype(np.int32)
    columns = np.full((count, rows[:, -1].max()), -1, np.int32)
    for layout in range(count):
        columns[layout, :rows[layout, -1]] = np.nonzero(mask[layout])[1]
    return rows, columns


def sparse_formula(query, key, value, rows, columns, tokens, block_size, scale):
    """Causal attention of [B, S, heads, D] to caches of [B, heads, capacity, D] through the blocks of each head's layout, by the schema's text."""
    result = np.zeros(query.shape, np.float32)
    for batch, place, head in np.ndindex(query.shape[:3]):
        layout, shared, last = head % len(rows), head * key.shape[1] // HEADS, tokens[batch] - query.shape[1] + place
        row = last // block_size
        blocks = columns[layout, rows[layout, row]:rows[layout, row + 1]]
        keys = [at for at in range(last + 1) if at // block_size in blocks]
        scores = key[batch, shared, keys] @ query[batch, place, head] * scale
        powers = np.exp(scores - scores.max())
        result[batch, place, head] = powers / powers.sum() @ value[batch, shared, keys]
    return result.reshape(*query.shape[:2], -1)


def sparse(title, tokens, block, capacity, block_size=16, head_keys=2, count=2, by_formula=False):
    """`tokens` of each sequence after the block, which is a prompt where it is as long as all of them. The formula has no rotary."""
    size, blocks = 16, -(-capacity // block_size)
    prompt, tokens = block == max(tokens), np.array(tokens, np.int32)
    batch = len(tokens)
    angles = cases.rng.uniform(0, 6, (capacity, size // 2))
    cosine, sine = const(np.cos(angles)), const(np.sin(angles))
    total, lengths = given(np.array([max(tokens)], np.int32)), given(tokens)
    rows = tokens if prompt else np.full(batch, block)
    query_mask = (np.arange(block) < rows[:, None])[:, :, None]
    cache_mask = (np.arange(capacity) < tokens[:, None])[:, None, :, None]
    for packed, rotary, interleaved, layout in ((False, 0, 0, 1), (True, 1, 0, count), (False, 1, 1, count), (True, 0, 0, HEADS)):
        if by_formula and rotary:
            continue
        widths = [(HEADS + 2 * head_keys) * size] if packed else [HEADS * size, head_keys * size, head_keys * size]
        parts = [floats(batch, block, width) for width in widths]
        inputs = [given(part) for part in parts] + [""] * (3 - len(widths))
        where = layouts(layout, blocks)
        caches = [given(np.zeros((batch, head_keys, capacity, size), np.float32) if prompt else floats(batch, head_keys, capacity, size)) for _ in range(2)]
        inputs += caches + [*(const(part, np.int32) for part in where), total, lengths] + ([cosine, sine] if rotary else [])
        names = add("SparseAttention", inputs, 3, num_heads=HEADS, kv_num_heads=head_keys, sparse_block_size=block_size, do_rotary=rotary, rotary_interleaved=interleaved,
                    scale=0.3)
        if by_formula:
            heads = np.concatenate(parts, 2).reshape(batch, block, -1, size)
            grown = [cases.feed[cache].copy() for cache in caches]
            for i, cache in enumerate(grown):
                for at in range(batch):
                    first = HEADS + i * head_keys
                    cache[at, :, tokens[at] - block:tokens[at]] = heads[at, :, first:first + head_keys].swapaxes(0, 1)
            result = sparse_formula(heads[:, :, :HEADS], *grown, *where, tokens, block_size, np.float32(0.3))
            cases.formulas.update(zip(names, (result, *grown)))
        cases.shared.update(zip(names[1:], caches))
        cases.masks.update(zip(names, (query_mask, cache_mask, cache_mask)))
    cases.check(f"SparseAttention, {title}", 2e-5)


def in_place():
    """The caches of SparseAttention as one buffer for past and present each."""
    caches = [floats(1, 2, 32, 16) for _ in range(2)]
    names = [given(cache) for cache in caches]
    outputs = add("SparseAttention", [given(floats(1, 1, 128)), "", "", *names, const([[0, 1, 3]], np.int32), const([[0, 0, 1]], np.int32), given(np.array([20], np.int32)),
                                      given(np.array([20], np.int32))], 3, num_heads=4, kv_num_heads=2, sparse_block_size=16)
    compiled, feed = moe_opt.compile(cases.model(), cpu_features="avx2"), cases.feed
    cases.clear()
    pairs = {info.name: info.pair for info in compiled.inputs if info.pair}
    if pairs != dict(zip(names, outputs[1:])):
        sys.exit(f"in place: pairs {pairs}")
    apart = compiled.run(feed)
    buffers = {name: cache.copy() for name, cache in zip(names, caches)}
    got = compiled.run({**feed, **buffers}, dict(zip(outputs[1:], buffers.values())))
    if not all(np.array_equal(got[name], apart[name]) for name in outputs):
        sys.exit("in place: results differ")
    for buffer, cache in zip(buffers.values(), caches):
        changed = (buffer != cache).any((0, 1, 3))
        if changed.nonzero()[0].tolist() != [19]:
            sys.exit(f"in place: changed rows {changed.nonzero()[0]}")
    print("in place: updated")


attention(0, 5)
attention(3, 2)
without_kernel(0, 5)
without_kernel(3, 2)
quantised(0, 5)
quantised(4, 2)
embedding()
sparse("prompt", [40, 40], 40, 64)
sparse("one token each", [40, 40], 1, 64)
# ONNX Runtime's CPU provider lets the shorter sequence attend behind its end.
sparse("one token each, ragged", [40, 33], 1, 64, by_formula=True)
sparse("several tokens", [70, 61], 9, 96, 32, by_formula=True)
sparse("one head of keys", [60], 60, 70, 32, head_keys=1)
in_place()


def refused(title, part, kind, inputs, outputs=1, **attributes):
    add(kind, inputs, outputs, **attributes)
    cases.refused(title, part)


def sparse_refused(title, part, total=20, capacity=32, columns=((0, 0, 1),), rows=((0, 1, 3),), **attributes):
    """One token of a sequence of 20 in a cache of 32 rows, two blocks of 16: right, but for what is given."""
    caches = [given(floats(1, 2, capacity, 16)) for _ in range(2)]
    refused(title, part, "SparseAttention", [given(floats(1, 1, 128)), "", "", *caches, const(rows, np.int32), const(columns, np.int32), given(np.array([total], np.int32)),
                                             given(np.array([total], np.int32))], 3, **({"num_heads": 4, "kv_num_heads": 2, "sparse_block_size": 16} | attributes))


refused("heads that do not divide", "each divided by 5 heads", "Attention", [given(floats(1, 2, 8)), const(floats(8, 24))], num_heads=5)
refused("a shared buffer", "'past_present_share_buffer' = 1", "Attention", [given(floats(1, 2, 8)), const(floats(8, 24))], num_heads=2, past_present_share_buffer=1)
refused("a mask of 3 for a batch of 2", "expected a mask_index of 2, 4 or 8 elements", "Attention",
        [given(floats(2, 2, 8)), const(floats(8, 24)), "", given(np.ones(3, np.int32))], num_heads=2)
refused("segments without their table", "only one of segment_ids and segment_embedding", "EmbedLayerNormalization",
        [given(np.zeros((1, 2), np.int32)), given(np.zeros((1, 2), np.int32)), const(floats(3, 4)), const(floats(3, 4)), "", const(floats(4)), const(floats(4))])
sparse_refused("blocks of 24", "expected a sparse_block_size 16, 32, 64 or 128, found 24", sparse_block_size=24)
sparse_refused("three layouts", "a divisor of 4 heads", columns=((0, 0, 1),) * 3, rows=((0, 1, 3),) * 3)
sparse_refused("blocks that end before the cache", "tokens of all blocks and length of past_key", capacity=40)
sparse_refused("a column that is no block", "an index: expected", columns=((0, 0, 2),))
sparse_refused("more tokens than rows", "expected 0 to 31, found 39", total=40)
