"""The text of a layer of given sizes: the same tokens through SwiGLU experts, through identity experts, in padded layout, and with a capacity.

The first two are what kernels compute as a whole; the others are computed op by op.
"""

SCORES = {"softmax": ("softmax", "gather", " {norm = #moe<weight_norm l1>}"), "raw": ("softmax", "gather", ""),
          "sigmoid": ("sigmoid", "gather", ""), "selected": ("identity", "softmax_selected", "")}

#: Rules for the slots of an expert: the mean load rounded up, one, three times as many as there are assignments.
CAPACITIES = {"mean": "numerator = 1, denominator = 1, rounding = ceil", "one": "numerator = 1, denominator = 1, rounding = ceil, minimum = 1, maximum = 1",
              "ample": "numerator = {triple}, denominator = 1, rounding = floor"}

TEXT = """
!list = tensor<?xi32>
!mask = tensor<?xi1>
moe.weight @gate_up : tensor<{E}x{G}x{H}x{element}> source(#moe.file<"gate_up.bin", offset = 0, length = {gate_bytes}>)
moe.weight @down : tensor<{E}x{H}x{I}x{element}> source(#moe.file<"down.bin", offset = 0, length = {down_bytes}>)
moe.weight @eye : tensor<{E}x{H}x{H}xf32> source(#moe.file<"eye.bin", offset = 0, length = {eye_bytes}>)

func.func @main(%x: tensor<?x{H}x{element}> {{moe.name = "x", moe.dims = ["tokens", "{H}"]}},
                %logits: tensor<?x{E}xf32> {{moe.name = "logits", moe.dims = ["tokens", "{E}"]}})
    -> (tensor<?x{H}xf32> {{moe.name = "routed", moe.dims = ["tokens", "{H}"]}},
        tensor<?x{H}xf32> {{moe.name = "identity", moe.dims = ["tokens", "{H}"]}},
        tensor<?x{H}xf32> {{moe.name = "padded", moe.dims = ["tokens", "{H}"]}},
        tensor<?x{H}xf32> {{moe.name = "through", moe.dims = ["tokens", "{H}"]}},
        tensor<?xi1> {{moe.name = "keep", moe.dims = ["?"]}},
        tensor<?xi32> {{moe.name = "expert", moe.dims = ["?"]}},
        tensor<{E}xi32> {{moe.name = "count", moe.dims = ["{E}"]}},
        tensor<{O}xi32> {{moe.name = "offset", moe.dims = ["{O}"]}},
        tensor<?xf32> {{moe.name = "weight", moe.dims = ["?"]}}) {{
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %T = tensor.dim %x, %c0 : tensor<?x{H}x{element}>
  %half = arith.ceildivui %T, %c2 : index
{wide}
  %gate_up = moe.weight_ref @gate_up : tensor<{E}x{G}x{H}x{element}>
  %down = moe.weight_ref @down : tensor<{E}x{H}x{I}x{element}>
  %eye = moe.weight_ref @eye : tensor<{E}x{H}x{H}xf32>
{chains}
  return %a_result, %b_result, %c_result, %d_result, %d_keep, %d_expert, %d_count, %d_offset, %d_w
      : tensor<?x{H}xf32>, tensor<?x{H}xf32>, tensor<?x{H}xf32>, tensor<?x{H}xf32>, !mask, !list, tensor<{E}xi32>, tensor<{O}xi32>, tensor<?xf32>
}}
"""

WIDEN = """  %wide_empty = tensor.empty(%T) : tensor<?x{H}xf32>
  %wide = linalg.generic {{indexing_maps = [affine_map<(t, h) -> (t, h)>, affine_map<(t, h) -> (t, h)>], iterator_types = ["parallel", "parallel"]}}
      ins(%x : tensor<?x{H}x{element}>) outs(%wide_empty : tensor<?x{H}xf32>) {{
  ^bb0(%a: {element}, %o: f32):
    %r = arith.extf %a : {element} to f32
    linalg.yield %r : f32
  }} -> tensor<?x{H}xf32>"""

ROUTER = """
  %{p}_scores, %{p}_choice = moe.score {function} %logits : tensor<?x{E}xf32> -> tensor<?x{E}xf32>, tensor<?x{E}xf32>
  %{p}_token, %{p}_expert, %{p}_rank, %{p}_valid, %{p}_kth = moe.select top_k %{p}_choice : tensor<?x{E}xf32> {{k = {k} : i64}}
      -> !list, !list, !list, !mask, tensor<?x2xf32>
  %{p}_w = moe.weigh {source} %{p}_scores, %{p}_token, %{p}_expert, %{p}_rank, %{p}_valid{norm}
      : tensor<?x{E}xf32>, !list, !list, !list, !mask -> tensor<?xf32>
"""

CHAIN = ROUTER + """  %{p}_slot, %{p}_keep, %{p}_count, %{p}_offset = moe.slots %{p}_token, %{p}_expert, %{p}_rank, %{p}_valid {{experts = {E} : i64}}
      : !list, !list, !list, !mask -> !list, !mask, tensor<{E}xi32>, tensor<{O}xi32>
  %{p}_rows = moe.dispatch ragged {x}, %{p}_token, %{p}_expert, %{p}_slot, %{p}_keep, %{p}_offset
      : tensor<?x{H}xf32>, !list, !list, !list, !mask, tensor<{O}xi32> -> tensor<?x{H}xf32>
  %{p}_y = moe.experts %{p}_rows, %{p}_offset {ffn} : tensor<?x{H}xf32>, tensor<{O}xi32> -> tensor<?x{H}xf32>
  %{p}_result = moe.combine %{p}_y, %{p}_token, %{p}_expert, %{p}_slot, %{p}_keep, %{p}_w tokens(%T)
      : tensor<?x{H}xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x{H}xf32>
"""

# A block of C rows per expert, C enough for all assignments.
PADDED = ROUTER + """  %{p}_slot, %{p}_keep, %{p}_count, %{p}_offset = moe.slots %{p}_token, %{p}_expert, %{p}_rank, %{p}_valid
      {{experts = {E} : i64, layout = #moe<slot_layout padded>,
       capacity = #moe.capacity<base = assignments, numerator = {E}, denominator = 1, rounding = floor>}}
      : !list, !list, !list, !mask -> !list, !mask, tensor<{E}xi32>, tensor<{O}xi32>
  %{p}_rows = moe.dispatch padded {x}, %{p}_token, %{p}_expert, %{p}_slot, %{p}_keep, %{p}_offset
      : tensor<?x{H}xf32>, !list, !list, !list, !mask, tensor<{O}xi32> -> tensor<{E}x?x{H}xf32>
  %{p}_y = moe.experts %{p}_rows, %{p}_offset {ffn} : tensor<{E}x?x{H}xf32>, tensor<{O}xi32> -> tensor<{E}x?x{H}xf32>
  %{p}_result = moe.combine %{p}_y, %{p}_token, %{p}_expert, %{p}_slot, %{p}_keep, %{p}_w tokens(%T)
      : tensor<{E}x?x{H}xf32>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x{H}xf32>
"""

#: Tokens of a group: all, a number, half of them.
GROUPS = {"all": ("", ""), "five": ("", ", group_size = 5 : i64"), "halves": (" groups_of(%half)", "")}

# With one of the capacities, orders and groups; the rows come back as they went, in their own type until they are summed.
CAPPED = ROUTER + """  %{p}_slot, %{p}_keep, %{p}_count, %{p}_offset = moe.slots %{p}_token, %{p}_expert, %{p}_rank, %{p}_valid{priority}{groups_of}
      {{experts = {E} : i64, order = #moe<slot_order {order}>{group_size},
       capacity = #moe.capacity<base = assignments, {capacity}>}}
      : !list, !list, !list, !mask -> !list, !mask, tensor<{E}xi32>, tensor<{O}xi32>
  %{p}_rows = moe.dispatch ragged %x, %{p}_token, %{p}_expert, %{p}_slot, %{p}_keep, %{p}_offset
      : tensor<?x{H}x{element}>, !list, !list, !list, !mask, tensor<{O}xi32> -> tensor<?x{H}x{element}>
  %{p}_result = moe.combine %{p}_rows, %{p}_token, %{p}_expert, %{p}_slot, %{p}_keep, %{p}_w tokens(%T)
      : tensor<?x{H}x{element}>, !list, !list, !list, !mask, tensor<?xf32> -> tensor<?x{H}xf32>
"""

SWIGLU = ("gate(%gate_up : tensor<{E}x{G}x{H}x{element}>) down(%down : tensor<{E}x{H}x{I}x{element}>)\n"
          "      {{ffn = #moe.ffn<activation = silu, gate = halves>}}")
IDENTITY = "gate(%eye : tensor<{E}x{H}x{H}xf32>) down(%eye : tensor<{E}x{H}x{H}xf32>)\n      {{ffn = #moe.ffn<activation = identity>}}"


def layer_text(shape):
    """MLIR of the layer; `shape` has experts, k, hidden, intermediate, router, element, capacity, order, priority and groups."""
    e, h, i = shape.experts, shape.hidden, shape.intermediate
    function, source, norm = SCORES[shape.router]
    sizes = {"E": e, "H": h, "I": i, "G": 2 * i, "O": e + 1, "k": shape.k, "element": shape.element, "x": "%x" if shape.element == "f32" else "%wide",
             "capacity": CAPACITIES[shape.capacity].format(triple=3 * e)}
    sizes |= {"order": shape.order, "priority": " priority(%d_w : tensor<?xf32>)" if shape.priority else "",
              "groups_of": GROUPS[shape.groups][0], "group_size": GROUPS[shape.groups][1]}
    width = 4 if shape.element == "f32" else 2
    parts = (("a", CHAIN, SWIGLU), ("b", CHAIN, IDENTITY), ("c", PADDED, SWIGLU), ("d", CAPPED, ""))
    chains = "".join(text.format(p=p, function=function, source=source, norm=norm, ffn=ffn.format(**sizes), **sizes) for p, text, ffn in parts)
    wide = "" if shape.element == "f32" else WIDEN.format(**sizes)
    return TEXT.format(chains=chains, wide=wide, gate_bytes=2 * width * e * h * i, down_bytes=width * e * h * i, eye_bytes=4 * e * h * h, **sizes)
