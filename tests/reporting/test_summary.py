"""Metrics of a run as tables and cards: what competes, and over which images a mean is."""

from micrographia.reporting.summary import headline_cards, method_tables, spread_over

CLEAR = {
    "flagged/bicubic": 0,
    "image/psnr/bicubic": 30.0,
    "image/lr_residual/bicubic": 0.004,
    "image_all/psnr/bicubic": 30.0,
    "flagged/rls": 0,
    "image/psnr/rls": 32.0,
    "image/lr_residual/rls": 0.003,
    "image_all/psnr/rls": 32.0,
    "assay/mae/rls": 0.5,
    "assay_all/mae/rls": 0.5,
}


def cells(metrics):
    """Cells of the tables by method and column."""
    found = {}
    for table in method_tables(spread_over([metrics])):
        titles = [column.title for column in table.columns]
        for row in table.rows:
            found |= {(row[0].text, title): cell for title, cell in zip(titles[1:], row[1:], strict=True)}
    return found


def test_methods_compete_where_none_of_their_images_is_flagged():
    clear = cells(CLEAR)
    assert clear["RLS", "PSNR"].best
    assert not clear["bicubic", "PSNR"].best
    flagged = cells({**CLEAR, "flagged/rls": 2})
    assert not any(cell.best for cell in flagged.values())
    assert flagged["RLS", "PSNR"].text == clear["RLS", "PSNR"].text


def test_parentheses_are_for_methods_of_which_each_image_is_flagged():
    some = {name: value for name, value in CLEAR.items() if name != "assay/mae/rls"} | {"flagged/rls": 5}
    assert ("RLS", "mean error") not in cells(some) or cells(some)["RLS", "mean error"].text == ""
    every = {name: value for name, value in some.items() if not name.startswith("image/") or "rls" not in name}
    assert cells(every)["RLS", "mean error"].text == "(0.500)"
    assert cells(every)["RLS", "PSNR"].text == "(32.0 dB)"


def test_a_card_names_the_learnt_start_whole():
    metrics = {"image_all/psnr/rls": 31.0, "image_all/psnr/rls_short": 31.0}
    (card,) = headline_cards(spread_over([metrics])).cards
    assert "RLS, learnt start" in card.note
    assert card.label == "PSNR, all images"
