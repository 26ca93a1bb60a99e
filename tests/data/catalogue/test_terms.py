import pytest

from micrographia.data.catalogue.terms import UNKNOWN, readers, terms_of


@pytest.mark.parametrize("choice", readers())
def test_every_public_set_has_a_licence_and_somebody_to_cite(choice):
    name, folder, _ = readers()[choice]
    terms = terms_of({"_target_": "x", "name": name, "root": f"/anywhere/{folder}"})
    if choice == "assay/golgi_fields":  # a layout for fields of the user's own
        assert terms.licence == UNKNOWN
    else:
        assert terms.licence != UNKNOWN
        assert terms.citation
    assert terms.choice == choice
    assert terms.certain


def test_a_set_is_certain_only_in_its_own_folder():
    node = {"_target_": "x", "name": "vacuoles", "root": "/mine/elsewhere"}
    assert not terms_of(node).certain
    assert terms_of({**node, "root": "/any/yeast/vacuoles"}).certain


def test_nothing_is_known_of_a_folder_of_the_users_own():
    terms = terms_of({"_target_": "x", "name": "image_folder", "root": "/any/yeast/vacuoles"})
    assert (terms.licence, terms.citation, terms.choice) == (UNKNOWN, "", "")


def test_rendered_images_need_no_licence_but_that_of_what_they_show():
    node = {"_target_": "micrographia.data.synthetic.texture_dsprites.TextureDSprites", "name": "texture_dsprites"}
    assert terms_of(node).simulated
    assert "none needed" in terms_of(node).licence
    assert "dsprites: Apache-2.0" in terms_of({**node, "sprites": "file.npz"}).licence
