"""A click in a real browser reaches Python in a real kernel and comes back to the screen."""

from __future__ import annotations

import nbformat

BUTTON = """import ipywidgets as widgets
button, label = widgets.Button(description="Fail n1"), widgets.Label("failures: 0")
def failed(_):
    label.value = f"failures: {int(label.value.split()[1]) + 1}"
button.on_click(failed)
widgets.VBox([button, label])"""

SCENE = """import anywidget, traitlets
class Scene(anywidget.AnyWidget):
    _esm = '''export default { render({ model, el }) {
        el.innerHTML = '<svg width="40" height="40"><circle class="node" cx="20" cy="20" r="9"/></svg><output/>';
        const paint = () => { el.querySelector('output').textContent = 'down: ' + model.get('down').join(' '); };
        el.querySelector('.node').addEventListener('click', () => model.send({ crash: 'n1' }));
        model.on('change:down', paint); paint();
    } }'''
    down = traitlets.List([]).tag(sync=True)
scene = Scene()
def act(_, message, buffers):
    scene.down = [*scene.down, message['crash']]
scene.on_msg(act)
scene"""

PIXEL = "http://198.51.100.7/pixel.png"  # an address for documentation (RFC 5737): nobody is there
OUTSIDE = f"""from IPython.display import HTML
HTML('<img src="{PIXEL}" alt="">')"""


def notebook(*sources):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def test_a_click_reaches_python_and_comes_back(notebook_page):
    from playwright.sync_api import expect

    page = notebook_page(notebook(BUTTON, SCENE))
    page.get_by_role("button", name="Fail n1").click()
    expect(page.get_by_text("failures: 1")).to_be_visible()
    page.locator("circle.node").click()
    page.locator("circle.node").click()
    expect(page.locator("output", has_text="down:")).to_have_text("down: n1 n1")


def test_a_request_to_another_host_is_refused_and_written_down(notebook_page):
    page = notebook_page(notebook(OUTSIDE))
    page.locator("img[src*='198.51.100.7']").wait_for(state="attached")
    page.wait_for_function("() => document.querySelector(\"img[src*='198.51.100.7']\").complete")
    assert set(page.context.outside) == {PIXEL}
    page.context.outside_on_purpose.add(PIXEL)  # else the end of this test fails, as it should
