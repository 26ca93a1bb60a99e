import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from micrographia.errors import UserError
from micrographia.runs.address import digest, split_config
from micrographia.runs.fingerprint import ContentHashes

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(-10, 10) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pqrs"), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from("uvwxyz"), plain, max_size=4))
def test_digest_does_not_depend_on_key_order(what):
    assert digest(what) == digest(dict(reversed(what.items())))


@pytest.mark.parametrize("change", [{"seed": 1}, {"model": {"beta": 2}}, {"budget": {"steps": 6}}])
def test_any_change_of_the_what_is_another_run(change):
    what = {"task": "train", "seed": 0, "model": {"beta": 1}, "budget": {"steps": 5}}
    assert digest(what) != digest({**what, **change})


def test_labels_and_whole_floats_change_nothing():
    assert digest({"task": "train", "name": "a", "model": {"beta": 4}}) == digest(
        {"task": "train", "name": "b", "model": {"beta": 4.0}}
    )


def named_model(target, name):
    return {"task": "train", "model": {"_target_": target, "name": name}}


def test_the_label_of_a_model_or_data_set_changes_nothing():
    ours = "micrographia.models.vae.beta_vae.BetaVAE"
    assert digest(named_model(ours, "a")) == digest(named_model(ours, "b"))


def test_a_name_that_is_an_argument_of_a_class_from_elsewhere_counts():
    assert digest(named_model("timm.create_model", "a")) != digest(named_model("timm.create_model", "b"))


def make_folder(folder, content=b"pixels"):
    (folder / "class").mkdir(parents=True)
    (folder / "class" / "image.png").write_bytes(content)
    return {"task": "train", "data": {"root": str(folder)}}


def test_a_moved_folder_is_the_same_run_and_a_changed_image_another(tmp_path):
    here = digest(make_folder(tmp_path / "here"))
    assert digest(make_folder(tmp_path / "there")) == here
    assert digest(make_folder(tmp_path / "changed", b"others")) != here


def test_a_table_may_be_named_relative_to_the_data_folder(tmp_path):
    what = make_folder(tmp_path / "images")
    (tmp_path / "images" / "labels.csv").write_text("file,class")
    relative = {"data": {**what["data"], "table": "labels.csv"}}
    absolute = {"data": {**what["data"], "table": str(tmp_path / "images" / "labels.csv")}}
    assert digest(relative) == digest(absolute)


def test_an_edited_file_is_noticed_despite_remembered_hashes(tmp_path):
    what = make_folder(tmp_path / "images")
    memory = tmp_path / "fingerprints.json"
    hashes = ContentHashes(memory)
    before = digest(what, hashes)
    hashes.remember()
    assert digest(what, ContentHashes(memory)) == before
    image = tmp_path / "images" / "class" / "image.png"
    image.write_bytes(b"edited")
    os.utime(image, ns=(1, 1))
    assert digest(what, ContentHashes(memory)) != before


def test_remembered_hashes_spare_the_reading(tmp_path):
    what = make_folder(tmp_path / "images")
    memory = tmp_path / "fingerprints.json"
    hashes = ContentHashes(memory)
    before = digest(what, hashes)
    hashes.remember()
    image = tmp_path / "images" / "class" / "image.png"
    state = image.stat()
    image.write_bytes(b"PIXELS")  # same size; the modification time is put back
    os.utime(image, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert digest(what, ContentHashes(memory)) == before


def test_a_missing_folder_names_key_and_cure(tmp_path):
    with pytest.raises(UserError, match=r"data\.root: .*nowhere does not exist.*set data\.root=PATH"):
        digest({"data": {"root": str(tmp_path / "nowhere")}})


def test_an_unfinished_source_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"source\.run: .*not a finished training"):
        digest({"task": "transfer", "source": {"run": str(tmp_path)}})


def test_split_config_separates_what_and_how():
    what, how = split_config(OmegaConf.create({"seed": "${how.n}", "how": {"n": 3, "paths": {"cache": "~/x"}}}))
    assert what == {"seed": 3}
    assert how == {"n": 3, "paths": {"cache": str(Path.home() / "x")}}


@pytest.mark.parametrize(("config", "message"), [({"run": "???"}, "run: no value"), ({"seed": "${sed}"}, "sed")])
def test_incomplete_configs_are_answered(config, message):
    with pytest.raises(UserError, match=message):
        split_config(OmegaConf.create(config))


def test_links_to_nowhere_and_in_circles_count_by_their_names(tmp_path):
    root = tmp_path / "images"
    (root / "a").mkdir(parents=True)
    (root / "a" / "0.png").write_bytes(b"0")
    what = {"task": "train", "data": {"root": str(root)}}
    plain = digest(what)
    (root / "a" / "up").symlink_to(root)
    assert digest(what) == plain
    (root / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (root / "loop.png").symlink_to("loop.png")
    linked = digest(what)
    assert linked != plain
    (root / "loop.png").rename(root / "b.png")
    assert digest(what) != linked


def test_where_a_link_leads_counts(tmp_path):
    root = tmp_path / "images"
    for name in ("d1", "d2"):
        (root / "all" / name).mkdir(parents=True)
        (root / "all" / name / "0.png").write_bytes(name.encode())
    (root / "train").symlink_to(root / "all" / "d1")
    (root / "test").symlink_to(root / "all" / "d2")
    before = digest({"task": "train", "data": {"root": str(root)}})
    for name, target in (("train", "d2"), ("test", "d1")):
        (root / name).unlink()
        (root / name).symlink_to(root / "all" / target)
    assert digest({"task": "train", "data": {"root": str(root)}}) != before


def test_what_describes_a_zarr_array_counts(tmp_path):
    array = tmp_path / "a.zarr"
    array.mkdir()
    (array / ".zarray").write_text('{"dtype": "<u2"}')
    before = digest({"task": "train", "data": {"root": str(tmp_path)}})
    (array / ".zarray").write_text('{"dtype": "<i2"}')
    assert digest({"task": "train", "data": {"root": str(tmp_path)}}) != before


def test_one_text_and_a_list_of_it_are_one_run():
    node = {"_target_": "micrographia.data.image_folder.ImageFolder", "name": "images"}
    one, listed = (
        split_config(OmegaConf.create({"task": "train", "data": {**node, "group": group}}))[0]
        for group in ("plate", ["plate"])
    )
    assert digest(one) == digest(listed)


def test_a_source_with_other_names_of_its_latents_is_another_source(tmp_path):
    digests = set()
    for folder, names in (("a", ["z0", "z1"]), ("b", ["Shape", "z1"]), ("c", ["Shape", "z1"])):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "weights.safetensors").write_bytes(b"the same weights")
        (tmp_path / folder / "result.json").write_text("{}")
        (tmp_path / folder / "model.json").write_text(json.dumps({"latents": names}))
        digests.add(digest({"task": "transfer", "source": {"run": str(tmp_path / folder)}}))
    assert len(digests) == 2
