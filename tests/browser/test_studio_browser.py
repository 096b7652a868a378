"""The studio in headless Chromium: the images are Python's, everything on the page works, by keyboard too, and nothing leaves its origin."""

import json
import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from studios import STYLES, make_generator

from jaxgan.making.programs import make_programs, weights_of
from jaxgan.marks.pictures import read_credit
from jaxgan.metrics.assets import MissingAsset
from jaxgan.sampling import of_keys, to_pixels
from jaxgan.studio.runtime import find_runtime
from jaxgan.studio.server import make_server

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings('ignore')]

COUNT = 12


class Site:
    """A studio that is served, and the generator that it shows."""

    def __init__(self, folder, architecture=None):
        pytest.importorskip('jax2onnx', reason='needs jax2onnx')
        pytest.importorskip('onnxruntime', reason='needs the extra jaxgan[onnx]')
        from jaxgan.studio.command import write_studio

        try:
            runtime = find_runtime()
        except MissingAsset as error:
            pytest.skip(str(error))
        self.generator = make_generator(architecture) if architecture else make_generator()
        write_studio(folder, self.generator, COUNT, runtime)
        self.server = make_server(folder, 0)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.origin = f'http://localhost:{self.server.server_address[1]}/'

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def sample(self, seeds, labels=None):
        """The images of seeds, with the watermark that the program puts into them."""
        g = self.generator
        program = make_programs(g)['generator'].function

        @jax.jit
        def paint(weights, seeds, label):
            z = of_keys(g.latents, jax.vmap(jax.random.key)(seeds))
            return to_pixels(program(weights, z, label))

        return np.asarray(paint(weights_of(g), np.asarray(seeds, np.uint32), labels))


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp('studio') / 'site')
    yield site
    site.close()


@pytest.fixture(scope='module')
def styles(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp('styles') / 'site', STYLES)
    yield site
    site.close()


def show(browser, address, width=1280, scheme='light', motion='no-preference'):
    wishes = {'color-scheme': scheme, 'reduced-motion': motion}
    features = [{'name': f'prefers-{name}', 'value': value} for name, value in wishes.items()]
    browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': features})
    metrics = {'width': width, 'height': 800, 'deviceScaleFactor': 1, 'mobile': width < 500}
    browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
    browser.get('about:blank')  # a hash alone would load nothing anew
    browser.get_log('browser'), browser.get_log('performance')
    browser.get(address)
    assert settled(browser, 'document.documentElement.dataset.ready === "true"', 30), status(browser)


def run(browser, expression, *arguments):
    return browser.execute_script(f'return {expression}', *arguments)


def settled(browser, expression, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if run(browser, expression):
            return True
        time.sleep(0.05)
    return False


def find(browser, selector):
    return browser.find_element('css selector', selector)


def status(browser):
    return run(browser, 'document.getElementById("status").textContent')


def pixels(browser, selector='#current'):
    script = 'const c = arguments[0]; return [c.height, c.width, [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data]]'
    height, width, values = browser.execute_script(script, find(browser, selector))
    return np.asarray(values, np.uint8).reshape(height, width, 4)[..., :3]


def changed(browser, before, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = pixels(browser)
        if now.shape != before.shape or (now != before).any():
            return now
        time.sleep(0.05)
    raise AssertionError(f'the image stayed as it was: {status(browser)}')


def slide(browser, name, value):
    browser.execute_script(
        'const s = document.getElementById(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event("input"))',
        name,
        value,
    )


def press(browser, selector):
    """Click where a smooth scroll may still be under way."""
    browser.execute_script('arguments[0].click()', find(browser, selector))


def choose(browser, number):
    """Choose a tile; returns its image once it is the current one."""
    find(browser, f'#tiles .tile:nth-child({number + 1})').click()
    wanted = pixels(browser, f'#tiles .tile:nth-child({number + 1}) canvas')
    end = time.monotonic() + 10
    while (pixels(browser) != wanted).any():
        assert time.monotonic() < end
        time.sleep(0.05)
    return wanted


def close(one, other):
    return np.abs(one.astype(int) - other.astype(int)).max() <= 1


def test_images_are_pythons_and_nothing_leaves_the_origin(browser, site):
    show(browser, site.origin)
    wanted = site.sample(range(COUNT))
    assert len({image.tobytes() for image in wanted}) == COUNT
    for i, image in enumerate(wanted):
        assert close(pixels(browser, f'#tiles .tile:nth-child({i + 1}) canvas'), image), i
    assert close(pixels(browser), wanted[0])
    (first,) = run(browser, 'performance.getEntriesByName("first image").map((entry) => entry.startTime)')
    assert first < 10_000  # two seconds where the machine has nothing else to do
    assert browser.get_log('browser') == []
    events = [json.loads(entry['message'])['message'] for entry in browser.get_log('performance')]
    asked = [e['params']['request']['url'] for e in events if e['method'] == 'Network.requestWillBeSent']
    assert asked and all(url.startswith((site.origin, 'data:', 'about:')) for url in asked), asked


def test_the_policy_stops_requests_to_elsewhere(browser, site):
    show(browser, site.origin)
    answer = browser.execute_async_script(
        'const done = arguments[0]; fetch("http://127.0.0.1:9/").then(() => done("sent"), (e) => done(String(e)))'
    )
    assert 'Failed to fetch' in answer
    assert any('Content Security Policy' in entry['message'] for entry in browser.get_log('browser'))


def test_the_policy_reaches_into_the_worker(browser, site):
    probe = 'addEventListener("securitypolicyviolation", (e) => postMessage(e.effectiveDirective)); fetch("http://127.0.0.1:9/").catch(() => {});'
    (Path(site.server.RequestHandlerClass.keywords['directory']) / 'probe.js').write_text(probe)
    show(browser, site.origin)
    browser.set_script_timeout(10)
    answer = browser.execute_async_script(
        'const done = arguments[0]; const worker = new Worker("probe.js"); worker.onmessage = (event) => done(event.data);'
    )
    assert answer == 'connect-src'


def test_sliders_change_pixels_and_undo_restores(browser, site):
    show(browser, site.origin)
    before = pixels(browser)
    slide(browser, 'direction-0', 2)
    edited = changed(browser, before)
    slide(browser, 'psi', 0.4)
    changed(browser, edited)
    find(browser, '#reset').click()
    assert settled(browser, 'document.getElementById("direction-0").value === "0"')
    time.sleep(0.3)
    np.testing.assert_array_equal(pixels(browser), before)


def test_mixes_differ_and_begin_at_a(browser, site):
    show(browser, site.origin)
    a = choose(browser, 1)
    find(browser, '#take-a').click()
    assert not find(browser, '#between').is_enabled()
    choose(browser, 2)
    find(browser, '#take-b').click()
    seen = pixels(browser)
    found = []
    for t in (0.25, 0.75, 0):
        slide(browser, 'between', t)
        seen = changed(browser, seen)
        found.append(seen)
    assert (found[0] != found[1]).any()
    np.testing.assert_array_equal(found[2], a)


def test_a_walk_moves_and_stops(browser, site):
    show(browser, site.origin)
    press(browser, '#play')
    frames = set()
    end = time.monotonic() + 10
    while len(frames) < 4 and time.monotonic() < end:
        frames.add(pixels(browser).tobytes())
    assert len(frames) >= 4
    press(browser, '#play')
    assert 'Place on a walk' in find(browser, '#told').text
    time.sleep(0.3)
    still = pixels(browser)
    time.sleep(0.3)
    np.testing.assert_array_equal(pixels(browser), still)


def test_who_wants_little_motion_gets_steps(browser, site):
    show(browser, site.origin, motion='reduce')
    press(browser, '#play')
    time.sleep(0.3)
    frames = set()
    end = time.monotonic() + 0.8
    while time.monotonic() < end:
        frames.add(pixels(browser).tobytes())
    assert len(frames) <= 2
    assert 'steps' in find(browser, '#walk-about').text


def test_a_link_restores_the_image(browser, site):
    show(browser, site.origin)
    choose(browser, 3)
    slide(browser, 'direction-1', -2)
    time.sleep(0.5)
    before = pixels(browser)
    find(browser, '#link').click()
    assert settled(browser, 'location.hash.includes("seed=3")')
    show(browser, run(browser, 'location.href'))
    np.testing.assert_array_equal(pixels(browser), before)
    show(browser, f'{site.origin}#model=00000000&seed=1')
    assert 'belongs to another generator' in status(browser)


def download(browser, folder):
    browser.execute_cdp_cmd('Browser.setDownloadBehavior', {'behavior': 'allow', 'downloadPath': str(folder)})
    find(browser, '#save').click()
    end = time.monotonic() + 10
    while not (found := list(folder.glob('*.png'))):
        assert time.monotonic() < end, status(browser)
        time.sleep(0.05)
    return found[0]


def test_a_download_says_what_it_is(browser, site, tmp_path):
    show(browser, site.origin)
    choose(browser, 5)
    browser.execute_script('document.getElementById("scale").value = "1"')
    path = download(browser, tmp_path)
    with Image.open(path) as picture:
        assert close(np.asarray(picture.convert('RGB')), site.sample([5])[0])
    told = read_credit(path)
    assert told == {**site.generator.credit('5').fields(), 'kind': 'trainedAlgorithmicMedia'}


def test_a_picture_is_found_and_its_rights_are_told(browser, site, tmp_path):
    show(browser, site.origin)
    path = tmp_path / 'mine.png'
    Image.fromarray(site.sample([123_456])[0].repeat(8, 0).repeat(8, 1)).save(path)
    find(browser, '#file').send_keys(str(path))
    assert settled(browser, 'document.getElementById("status").textContent.includes("your rights")')
    find(browser, '#rights').send_keys('my own <drawing>')
    find(browser, '#file').send_keys(str(path))
    assert settled(browser, 'document.getElementById("told").textContent === "Like your picture"', 40), (
        status(browser)
    )
    likeness = float(find(browser, '#likeness').text.split()[1])
    assert likeness > 20, likeness
    assert settled(browser, 'document.querySelectorAll("#variations .tile").length === 12')
    find(browser, '#variations .tile:nth-child(2)').click()
    assert 'Variation' in find(browser, '#told').text
    (tmp_path / 'down').mkdir()
    told = read_credit(download(browser, tmp_path / 'down'))
    assert told['kind'] == 'compositeWithTrainedAlgorithmicMedia'
    assert told['rights'] == 'my own <drawing>' and len(told['source']) == 64 and told['variation'] == '0.35'
    assert browser.get_log('browser') == []


def test_by_keyboard_alone(browser, site):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    show(browser, site.origin)

    def press(*keys):
        ActionChains(browser).send_keys(*keys).perform()

    def tab_to(expression):
        for _ in range(60):
            press(Keys.TAB)
            if run(browser, f'document.activeElement.matches({expression!r})'):
                return
        raise AssertionError(f'no way by Tab to {expression}')

    tab_to('.tile')
    before = pixels(browser)
    press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER)
    assert settled(browser, 'document.getElementById("told").textContent === "Seed 2"')
    assert run(browser, 'document.querySelectorAll(".tile[tabindex=\'0\']").length') == 1
    seen = changed(browser, before)
    press(Keys.END)
    assert run(browser, 'document.activeElement.getAttribute("aria-label")') == f'Seed {COUNT - 1}'
    press(Keys.HOME)
    assert run(browser, 'document.activeElement.getAttribute("aria-label")') == 'Seed 0'
    tab_to('#more')
    press(Keys.SPACE)
    assert settled(browser, f'document.querySelectorAll("#tiles .tile").length === {2 * COUNT}')
    tab_to('#direction-0')
    press(Keys.PAGE_UP, Keys.PAGE_UP)
    changed(browser, seen)
    assert run(browser, 'getComputedStyle(document.activeElement).outlineStyle') != 'none'


def test_everything_operable_has_a_name(browser, site):
    show(browser, site.origin)
    nameless = run(
        browser,
        '[...document.querySelectorAll("button, input, select, a, progress, canvas:not(.tile canvas)")].filter((e) => '
        '!(e.getAttribute("aria-label") || e.labels?.length || e.textContent.trim())).map((e) => e.outerHTML)',
    )
    assert nameless == []
    assert run(
        browser,
        '[...document.querySelectorAll("[id]")].length === new Set([...document.querySelectorAll("[id]")].map((e) => e.id)).size',
    )
    assert run(browser, 'document.getElementById("status").getAttribute("aria-live")') == 'polite'


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [360, 768])
def test_no_horizontal_overflow(browser, site, width, scheme):
    show(browser, site.origin, width, scheme)
    assert run(browser, 'innerWidth') == width
    assert run(browser, 'document.documentElement.scrollWidth <= document.documentElement.clientWidth')


def test_classes_and_styles(browser, styles):
    show(browser, styles.origin)
    wanted = styles.sample(range(COUNT), np.arange(COUNT, dtype=np.int32) % 3)
    for i in range(COUNT):
        assert close(pixels(browser, f'#tiles .tile:nth-child({i + 1}) canvas'), wanted[i]), i
    browser.execute_script(
        'const s = document.getElementById("label"); s.value = "1"; s.dispatchEvent(new Event("change"))'
    )
    last = f'document.querySelector("#tiles .tile:nth-child({COUNT}) canvas").style.aspectRatio !== ""'
    assert settled(browser, last)
    a = choose(browser, 4)
    assert close(a, styles.sample([4], np.asarray([1], np.int32))[0])
    find(browser, '#take-a').click()
    b = choose(browser, 6)
    find(browser, '#take-b').click()
    slide(browser, 'layer', 3)
    both = changed(browser, b)
    assert (both != a).any()
    slide(browser, 'psi', 0)
    average = changed(browser, both)
    choose(browser, 4)
    slide(browser, 'psi', 0)
    changed(browser, a)
    time.sleep(0.3)
    np.testing.assert_array_equal(pixels(browser), average)


def test_opened_as_a_file_it_says_what_to_do(browser, site):
    browser.get(f'file://{site.server.RequestHandlerClass.keywords["directory"]}/index.html')
    assert settled(browser, 'getComputedStyle(document.getElementById("notice")).visibility === "visible"')
    assert 'http.server' in find(browser, '#notice').text
