"""A decoder of decoders.py on llama.cpp: its GGUF file, and calls through llama-cpp-python's plain binding."""

import ctypes
import pathlib

import numpy as np

from decoders import BLOCK, CONTEXT, EPSILON

CAPACITY = 512  # tokens a call takes at most in one piece


def _blocks(codes, scales, format):
    """A matrix [columns, bytes] in llama.cpp's blocks: a scale of f16, then the values."""
    columns = codes.shape[0]
    if format == "int8":
        values = codes.reshape(columns, -1, BLOCK) ^ 128
    else:
        pairs = codes.reshape(columns, -1, BLOCK // 2)
        whole = np.stack([pairs & 15, pairs >> 4], -1).reshape(columns, -1, BLOCK)
        values = whole[..., :BLOCK // 2] | whole[..., BLOCK // 2:] << 4
    heads = scales.astype(np.float16).view(np.uint8).reshape(columns, -1, 2)
    return np.concatenate([heads, values], -1).reshape(columns, -1)


def _keys(writer, d):
    s = d.sizes
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(s.hidden)
    writer.add_block_count(d.layers)
    writer.add_feed_forward_length(s.dense[0] if s.dense else s.intermediate)
    writer.add_head_count(s.heads)
    writer.add_head_count_kv(s.key_heads)
    writer.add_key_length(s.head)
    writer.add_value_length(s.head)
    writer.add_rope_dimension_count(s.head)
    writer.add_rope_freq_base(s.theta)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_expert_count(s.experts)
    writer.add_expert_used_count(s.chosen)
    writer.add_expert_feed_forward_length(s.intermediate)
    writer.add_vocab_size(s.vocabulary)
    writer.add_tokenizer_model("none")
    if s.window:
        writer.add_sliding_window(s.window)
    if s.shared:
        writer.add_leading_dense_block_count(len(s.dense))
        writer.add_expert_shared_count(s.shared // s.intermediate)
        writer.add_expert_weights_scale(1.0)


def write(d, path):
    """The GGUF file of a decoder."""
    import gguf
    s = d.sizes
    writer = gguf.GGUFWriter(path, s.arch)
    kind = {"int4": gguf.GGMLQuantizationType.Q4_0, "int8": gguf.GGMLQuantizationType.Q8_0}[d.format]
    _keys(writer, d)
    blocks = lambda *matrix: _blocks(*d.matrix(*matrix), d.format)
    stored = lambda name, array: writer.add_tensor(name + ".weight", array, raw_dtype=kind)
    floats = lambda name, array: writer.add_tensor(name, array)
    stored("token_embd", blocks("embedding", s.vocabulary, s.hidden))
    floats("output_norm.weight", d.vector(f"{d.layers}.final_norm", s.hidden))
    stored("output", blocks("head", s.vocabulary, s.hidden))
    for layer in range(d.layers):
        block = f"blk.{layer}."
        floats(block + "attn_norm.weight", d.vector(f"{layer}.input_norm", s.hidden))
        floats(block + ("post_attention_norm" if s.window else "ffn_norm") + ".weight", d.vector(f"{layer}.post_norm", s.hidden))
        for name, matrix in d.attention_matrices(layer).items():
            stored(f"{block}attn_{name}", blocks(*matrix))
            if s.biases:
                floats(f"{block}attn_{name}.bias", d.bias(f"{layer}.{name}.bias", matrix[1]))
            if s.query_norm and name != "v":
                floats(f"{block}attn_{name}_norm.weight", d.vector(f"{layer}.{name}_norm", s.head))
        stored(block + "attn_output", blocks(f"{layer}.o", s.hidden, s.heads * s.head))
        if s.biases:
            floats(block + "attn_output.bias", d.bias(f"{layer}.o.bias", s.hidden))
        if s.window:
            floats(block + "attn_sinks.weight", d.bias(f"{layer}.sinks", s.heads))
        if not d.has_experts(layer):
            _ffn(stored, blocks, block + "ffn_{}", f"{layer}.dense", s.hidden, s.dense[layer])
            continue
        floats(block + "ffn_gate_inp.weight", d.router(layer))
        for name, columns, depth in (("gate", s.intermediate, s.hidden), ("up", s.intermediate, s.hidden), ("down", s.hidden, s.intermediate)):
            stored(f"{block}ffn_{name}_exps", np.stack([blocks(f"{layer}.{e}.{name}", columns, depth) for e in range(s.experts)]))
            if s.biases:
                floats(f"{block}ffn_{name}_exps.bias", d.bias(f"{layer}.{name}.bias", s.experts, columns))
        if s.biases:
            floats(block + "ffn_gate_inp.bias", d.bias(f"{layer}.router.bias", s.experts))
        if s.shared:
            _ffn(stored, blocks, block + "ffn_{}_shexp", f"{layer}.shared", s.hidden, s.shared)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _ffn(stored, blocks, target, name, hidden, width):
    for part, columns, depth in (("gate", width, hidden), ("up", width, hidden), ("down", hidden, width)):
        stored(target.format(part), blocks(f"{name}.{part}", columns, depth))


class Llama:
    """As Compiled of decoders.py. Weights are repacked at load and attention is flash attention, as llama.cpp chooses by itself; keys and values are f16."""

    def __init__(self, decoder, folder, threads):
        import llama_cpp
        path = pathlib.Path(folder) / "model.gguf"
        if not path.exists():
            write(decoder, path)
        self.l = llama_cpp
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.quiet, None)
        llama_cpp.llama_backend_init()
        model = llama_cpp.llama_model_default_params()
        model.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), model)
        if not self.model:
            raise RuntimeError("llama.cpp does not load the model")
        context = llama_cpp.llama_context_default_params()
        context.n_ctx, context.n_batch, context.n_ubatch = CONTEXT, CAPACITY, CAPACITY
        context.n_threads = context.n_threads_batch = threads
        context.swa_full = True  # Keys behind the window stay, so that a position can be written again.
        self.context = llama_cpp.llama_init_from_model(self.model, context)
        self.batch = llama_cpp.llama_batch_init(CAPACITY, 0, 1)
        self.vocabulary = decoder.sizes.vocabulary

    def __call__(self, tokens, past):
        memory = self.l.llama_get_memory(self.context)
        if not self.l.llama_memory_seq_rm(memory, 0, past, -1):
            raise RuntimeError("llama.cpp cannot go back to a position")
        for start in range(0, len(tokens), CAPACITY):
            part = tokens[start:start + CAPACITY]
            self.batch.n_tokens = len(part)
            for index, token in enumerate(part):
                self.batch.token[index], self.batch.pos[index] = int(token), past + start + index
                self.batch.n_seq_id[index], self.batch.seq_id[index][0] = 1, 0
                self.batch.logits[index] = start + index + 1 == len(tokens)
            if self.l.llama_decode(self.context, self.batch):
                raise RuntimeError("llama_decode failed")
        row = ctypes.cast(self.l.llama_get_logits_ith(self.context, -1), ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(row, (self.vocabulary,)).copy()
