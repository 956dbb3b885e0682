"""A receipt in a notebook."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import durable_redis as dr


def receipt(writes=200, **options):
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(writes, **options)
    run.crash("n1", "power loss", at_ms=1250)
    run.restart("n1")
    return run.receipt()


def test_the_number_comes_first_and_nothing_is_only_in_the_picture():
    taken = receipt()
    html = taken._repr_html_()
    assert html.startswith(f"<h3>{taken.headline.rstrip('.')}</h3>")
    tree = ElementTree.fromstring(f"<div>{html}</div>")
    assert {element.tag for element in tree.iter()} == {"div", "h3", "table", "tr", "th", "td", "ul", "li"}
    assert {tuple(element.attrib) for element in tree.iter()} <= {(), ("align",)}
    counts = {"".join(row[0].itertext()): row[1].text for row in tree.findall("table")[0].findall("tr")[1:]}
    assert counts == {verdict: f"{count:,}" for verdict, count in taken.counts.items() if count}
    (lost,) = [item.text for item in tree.findall("ul/li")]
    assert lost.startswith(f"w{124 - taken.lost} to w123 ({taken.lost} writes), told OK from ")
    assert all(words in str(taken) for words in lost.split(": "))


def test_it_is_the_same_every_time_and_escapes_what_it_is_given():
    assert receipt()._repr_html_() == receipt()._repr_html_()
    html = receipt(key="<script>{n}", value="&")._repr_html_()
    assert not re.search(r"<script>", html)


def test_without_a_write_it_is_one_sentence():
    assert dr.Redis(appendonly=True).start(seed=7).receipt()._repr_html_() == "<h3>Nothing was written yet</h3>"
