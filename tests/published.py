"""Names and shapes of published weights, written down here and not taken from the package."""


def transunet(width=64, units=(3, 4, 9), hidden=768, layers=12, mlp=3072, tokens=196, entry=512,
              decoder=(256, 128, 64, 16), classes=9):  # fmt: skip
    """Return {name: shape} of an official TransUNet state dict."""
    shapes = {}

    def norm(name, length):
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (length,)

    def linear(name, outputs, inputs):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs), (outputs,)

    def convolution(name, outputs, inputs):
        shapes[f"{name}.0.weight"] = (outputs, inputs, 3, 3)
        norm(f"{name}.1", outputs)
        shapes[f"{name}.1.running_mean"] = shapes[f"{name}.1.running_var"] = (outputs,)
        shapes[f"{name}.1.num_batches_tracked"] = ()

    hybrid = "transformer.embeddings.hybrid_model"
    shapes[f"{hybrid}.root.conv.weight"] = (width, 3, 7, 7)
    norm(f"{hybrid}.root.gn", width)
    before = width
    for block, number in enumerate(units, 1):
        middle = width * 2 ** (block - 1)
        after = middle * 4
        for k in range(1, number + 1):
            unit = f"{hybrid}.body.block{block}.unit{k}"
            shapes[f"{unit}.conv1.weight"] = (middle, before if k == 1 else after, 1, 1)
            shapes[f"{unit}.conv2.weight"] = (middle, middle, 3, 3)
            shapes[f"{unit}.conv3.weight"] = (after, middle, 1, 1)
            norm(f"{unit}.gn1", middle)
            norm(f"{unit}.gn2", middle)
            norm(f"{unit}.gn3", after)
            if k == 1:
                shapes[f"{unit}.downsample.weight"] = (after, before, 1, 1)
                norm(f"{unit}.gn_proj", after)
        before = after
    shapes["transformer.embeddings.patch_embeddings.weight"] = (hidden, before, 1, 1)
    shapes["transformer.embeddings.patch_embeddings.bias"] = (hidden,)
    shapes["transformer.embeddings.position_embeddings"] = (1, tokens, hidden)
    for k in range(layers):
        layer = f"transformer.encoder.layer.{k}"
        norm(f"{layer}.attention_norm", hidden)
        norm(f"{layer}.ffn_norm", hidden)
        linear(f"{layer}.ffn.fc1", mlp, hidden)
        linear(f"{layer}.ffn.fc2", hidden, mlp)
        for part in ("query", "key", "value", "out"):
            linear(f"{layer}.attn.{part}", hidden, hidden)
    norm("transformer.encoder.encoder_norm", hidden)
    convolution("decoder.conv_more", entry, hidden)
    inputs = (entry + width * 8, decoder[0] + width * 4, decoder[1] + width, decoder[2])
    for k in range(4):
        convolution(f"decoder.blocks.{k}.conv1", decoder[k], inputs[k])
        convolution(f"decoder.blocks.{k}.conv2", decoder[k], decoder[k])
    shapes["segmentation_head.0.weight"] = (classes, decoder[3], 3, 3)
    shapes["segmentation_head.0.bias"] = (classes,)
    return shapes


def google(width, units, hidden, layers, heads, mlp, side):
    """Return {name: shape} of the arrays of Google's R50+ViT .npz."""
    shapes = {"conv_root/kernel": (7, 7, 3, width)}

    def norm(name, shape):
        shapes[f"{name}/scale"] = shapes[f"{name}/bias"] = shape

    norm("gn_root", (1, 1, 1, width))
    before = width
    for block, number in enumerate(units, 1):
        middle = width * 2 ** (block - 1)
        after = middle * 4
        for k in range(1, number + 1):
            unit = f"block{block}/unit{k}"
            shapes[f"{unit}/conv1/kernel"] = (1, 1, before if k == 1 else after, middle)
            shapes[f"{unit}/conv2/kernel"] = (3, 3, middle, middle)
            shapes[f"{unit}/conv3/kernel"] = (1, 1, middle, after)
            norm(f"{unit}/gn1", (1, 1, 1, middle))
            norm(f"{unit}/gn2", (1, 1, 1, middle))
            norm(f"{unit}/gn3", (1, 1, 1, after))
            if k == 1:
                shapes[f"{unit}/conv_proj/kernel"] = (1, 1, before, after)
                norm(f"{unit}/gn_proj", (1, 1, 1, after))
        before = after
    shapes["embedding/kernel"], shapes["embedding/bias"] = (1, 1, before, hidden), (hidden,)
    shapes["Transformer/posembed_input/pos_embedding"] = (1, 1 + side * side, hidden)
    each = hidden // heads
    for k in range(layers):
        layer = f"Transformer/encoderblock_{k}"
        norm(f"{layer}/LayerNorm_0", (hidden,))
        norm(f"{layer}/LayerNorm_2", (hidden,))
        attention = f"{layer}/MultiHeadDotProductAttention_1"
        for part in ("query", "key", "value"):
            shapes[f"{attention}/{part}/kernel"] = (hidden, heads, each)
            shapes[f"{attention}/{part}/bias"] = (heads, each)
        shapes[f"{attention}/out/kernel"], shapes[f"{attention}/out/bias"] = (heads, each, hidden), (hidden,)
        for part, inputs, outputs in (("Dense_0", hidden, mlp), ("Dense_1", mlp, hidden)):
            shapes[f"{layer}/MlpBlock_3/{part}/kernel"] = (inputs, outputs)
            shapes[f"{layer}/MlpBlock_3/{part}/bias"] = (outputs,)
    norm("Transformer/encoder_norm", (hidden,))
    # What TransUNet has no use for.
    shapes["head/kernel"], shapes["head/bias"], shapes["cls"] = (hidden, 7), (7,), (1, 1, hidden)
    return shapes
