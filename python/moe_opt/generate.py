"""Generates text with a compiled decoder and prints it with tokens per second.

    python -m moe_opt.generate out/ --tokenizer tokenizer.json --prompt "..."

The model takes `input_ids` and optionally `attention_mask`, `position_ids` and a KV cache (inputs that an output extends). The next token is the
most likely one (greedy).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Dict, Iterator, List

import numpy as np

from ._errors import Error
from ._model import Model, TensorInfo, load


def _cache_pairs(model: Model) -> Dict[str, str]:
    """Input to output names of the KV cache: as the model marks them, else past_key_values.X to present.X by name."""
    outputs = {info.name for info in model.outputs}
    pairs = {}
    for info in model.inputs:
        by_name = info.name.replace("past_key_values", "present", 1)
        if info.pair:
            pairs[info.name] = info.pair
        elif by_name != info.name and by_name in outputs:
            pairs[info.name] = by_name
    return pairs


def _empty_cache(info: TensorInfo) -> np.ndarray:
    """A cache of no tokens: batch 1, and zero for every other dim that is not fixed."""
    shape = [size if isinstance(size, int) else (1 if axis == 0 else 0) for axis, size in enumerate(info.dims)]
    return np.zeros(shape, info.dtype)


def generate(model: Model, prompt_ids: List[int], new_tokens: int) -> Iterator[int]:
    """Yields up to `new_tokens` ids, each the argmax of the last position's logits.

    model: a decoder with the inputs named above; logits are its first output, [batch, tokens, vocabulary].
    """
    known = {info.name: info for info in model.inputs}
    if "input_ids" not in known:
        raise Error("bad_argument", f"expected a decoder with an input 'input_ids'; the inputs are {', '.join(known)}")
    pairs = _cache_pairs(model)
    extra = sorted(set(known) - {"input_ids", "attention_mask", "position_ids"} - set(pairs))
    if extra:
        raise Error("bad_argument", f"do not know what to feed to the input {extra[0]!r}")
    cache = {name: _empty_cache(known[name]) for name in pairs}
    ids, past = list(prompt_ids), 0
    for _ in range(new_tokens):
        step = ids[past:]
        total = past + len(step)
        feeds = {
            "input_ids": np.array([step]),
            "attention_mask": np.ones((1, total)),
            "position_ids": np.arange(past, total)[None],
        }
        feeds = {name: value.astype(known[name].dtype) for name, value in feeds.items() if name in known}
        results = model.run({**feeds, **cache})
        cache = {name: results[output] for name, output in pairs.items()}
        token = int(results[model.outputs[0].name][0, -1].argmax())
        past = total if pairs else 0
        ids.append(token)
        yield token


def _count(text: str) -> int:
    """A whole number of at least 0, for argparse."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, found {text}")
    return value


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m moe_opt.generate", description=__doc__.split("\n")[0])
    parser.add_argument("artifact", help="folder that moe-compile wrote")
    parser.add_argument("--tokenizer", required=True, help="tokenizer.json, as Hugging Face tokenizers write it")
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--new-tokens", type=_count, default=64)
    parser.add_argument("--bos", default="<bos>", help="token put before the prompt if the tokenizer has it (default %(default)s)")
    parser.add_argument("--threads", type=_count, default=0)
    parser.add_argument("--json", action="store_true", help="print ids, text and speed as JSON")
    options = parser.parse_args()
    try:
        from tokenizers import Tokenizer
    except ImportError:
        print("generate: needs the package `tokenizers` (pip install tokenizers)", file=sys.stderr)
        return 2
    try:
        tokenizer = Tokenizer.from_file(options.tokenizer)
    except Exception as error:  # The package raises bare Exception for a missing or damaged file.
        print(f"generate: {options.tokenizer}: {error}", file=sys.stderr)
        return 2
    begin = tokenizer.token_to_id(options.bos)
    prompt_ids = ([] if begin is None else [begin]) + tokenizer.encode(options.prompt, add_special_tokens=False).ids
    if not prompt_ids:
        print("generate: the prompt has no token", file=sys.stderr)
        return 2

    try:
        model = load(options.artifact, threads=options.threads)
        ids: List[int] = []
        times = [time.perf_counter()]
        if not options.json:
            print(options.prompt, end="", flush=True)
        shown = ""
        for token in generate(model, prompt_ids, options.new_tokens):
            ids.append(token)
            times.append(time.perf_counter())
            text = tokenizer.decode(ids)
            # A character of several tokens is printed when it is whole.
            if not options.json and not text.endswith("\ufffd"):
                print(text[len(shown):], end="", flush=True)
                shown = text
    except Error as error:
        print(f"generate: {error}", file=sys.stderr)
        return 2
    first, rest = times[1] - times[0] if ids else 0.0, times[-1] - times[1] if ids else 0.0
    speed = (len(ids) - 1) / rest if len(ids) > 1 and rest > 0 else 0.0
    if options.json:
        print(json.dumps({"prompt_ids": prompt_ids, "generated_ids": ids, "generated_text": tokenizer.decode(ids), "isa": model.isa,
                          "prompt_seconds": first, "tokens_per_second": speed}))
    else:
        print(f"\n\n[{len(prompt_ids)} prompt tokens in {1000 * first:.1f} ms; {len(ids)} new tokens, {speed:.0f} tokens per second; {model.isa}]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
