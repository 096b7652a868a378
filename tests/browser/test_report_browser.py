"""The page of a run in headless Chromium: it draws, it can be operated, it asks no network, and nothing of a run's files runs in it."""

import json
import time

import pytest
from reports import HOSTILE, make_full_run

from jaxgan.report import write_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope='module')
def address(tmp_path_factory):
    return write_report(make_full_run(tmp_path_factory.mktemp('report') / 'run')).as_uri()


@pytest.fixture
def page(browser, address):
    show(browser, address, 1280)
    return browser


def show(browser, address, width, scheme='light'):
    """Open the page in a window of so many pixels; logs begin anew."""
    wishes = {'color-scheme': scheme, 'reduced-motion': 'reduce'}  # a click waits for no smooth scrolling
    features = [{'name': f'prefers-{name}', 'value': value} for name, value in wishes.items()]
    browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': features})
    metrics = {'width': width, 'height': 800, 'deviceScaleFactor': 1, 'mobile': width < 500}
    browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
    browser.get_log('browser'), browser.get_log('performance')
    browser.get(address)


def run(browser, expression, *arguments):
    return browser.execute_script(f'return {expression}', *arguments)


def find(browser, selector):
    return browser.find_element('css selector', selector)


def settled(browser, expression):
    """Wait up to five seconds until an expression is true."""
    for _ in range(100):
        if run(browser, expression):
            return True
        time.sleep(0.05)
    return False


def test_no_console_message_and_no_request(page):
    assert settled(page, 'document.readyState === "complete"')
    assert page.get_log('browser') == []
    events = [json.loads(entry['message'])['message'] for entry in page.get_log('performance')]
    asked = [e['params']['request']['url'] for e in events if e['method'] == 'Network.requestWillBeSent']
    outside = [url for url in asked if not url.startswith(('file:', 'data:'))]
    assert asked and not outside
    assert sum(url.startswith('file:') for url in asked) == 1  # the page itself
    resources = run(page, 'performance.getEntriesByType("resource").map((entry) => entry.name)')
    assert [url for url in resources if not url.startswith('data:')] == []


def test_hostile_strings_are_text(page):
    assert run(page, 'document.title') == 'run · jaxgan'
    assert HOSTILE in run(page, 'document.body.textContent')
    assert HOSTILE in run(
        page, '[...document.querySelectorAll(".chart .legend, .chart h3")].map((e) => e.textContent).join()'
    )
    assert run(page, 'document.scripts.length') == 3
    assert run(page, 'document.querySelectorAll("img[src=x], [onerror]").length') == 0


def test_the_policy_stops_what_escaping_would_miss(page):
    """A script and an image that got into the page all the same."""
    page.execute_script(
        'const s = document.createElement("script"); s.textContent = "document.title = \'ran\'"; document.body.append(s);'
        'const d = document.createElement("div"); d.innerHTML = arguments[0]; document.body.append(d);',
        '<img src="http://127.0.0.1:9/x" onerror="document.title=\'ran\'">',
    )
    time.sleep(0.3)
    assert run(page, 'document.title') == 'run · jaxgan'
    blocked = [entry['message'] for entry in page.get_log('browser')]
    assert blocked and all('Content Security Policy' in message for message in blocked)


def test_every_chart_is_drawn(page):
    charts = run(
        page,
        '[...document.querySelectorAll(".chart")].map((figure) => ({'
        'paths: [...figure.querySelectorAll("path.curve")].map((path) => path.getTotalLength()),'
        'dots: figure.querySelectorAll("circle").length,'
        'legends: figure.querySelectorAll(".swatch").length,'
        'labels: [...figure.querySelectorAll("svg text")].map((text) => text.textContent),'
        'name: figure.querySelector("svg").getAttribute("aria-label")}))',
    )
    assert len(charts) == 11  # five groups, the hostile metric, four odd ones, FID under P1
    for chart in charts:
        bare = 'no finite value' in chart['name']
        assert len(chart['paths']) == (0 if bare else chart['legends'])
        assert all(length > 30 for length in chart['paths']) or chart['dots']
        assert 'images seen' in chart['labels']
        assert 'over images seen' in chart['name']
        assert '-0' not in chart['labels']


def test_values_that_are_not_finite_are_gaps_with_marks(page):
    marks = run(
        page,
        '[...document.querySelectorAll("[data-index=\\"0\\"] .gap")].map((mark) => mark.firstChild.textContent)',
    )
    assert sorted(marks) == ['×', '▲', '▼']
    path = run(
        page, 'document.querySelectorAll(".chart")[0].querySelectorAll("path.curve")[1].getAttribute("d")'
    )
    assert path.count('M') == 2  # the pen was lifted once, for two neighbours


def test_the_slider_by_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    slider = find(page, '#slider')

    def shown():
        visible = (
            '[...document.querySelectorAll("#grids .stage img")].filter((image) => image.offsetWidth > 0)'
        )
        sources = run(page, f'{visible}.map((image) => image.src)')
        assert len(sources) == 1
        return sources[0], find(page, '#caption').text, find(page, '#position').text

    last = shown()
    assert last[1:] == ('64,000', '3')
    slider.send_keys(Keys.ARROW_LEFT)
    middle = shown()
    assert middle[1:] == ('32,000', '2')
    assert middle[0] != last[0]
    assert slider.get_attribute('aria-valuetext') == '32,000 images seen'
    slider.send_keys(Keys.HOME)
    assert shown()[1:] == ('0', '1')
    slider.send_keys(Keys.END)
    assert shown() == last


def test_play_goes_through_the_grids(page):
    find(page, '#play').click()
    assert find(page, '#caption').text == '0'
    assert settled(page, 'document.getElementById("caption").textContent === "64,000"')
    assert find(page, '#play').text == 'Play'


def test_reading_a_chart_by_pointer_and_keyboard(page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    chart = find(page, '.chart')
    svg, legend = chart.find_element('css selector', 'svg'), chart.find_element('css selector', '.legend')
    assert '0.5313' in legend.text  # the latest: 0.5 + 1 / 32
    page.execute_script('arguments[0].focus()', svg)
    svg.send_keys(Keys.HOME)
    assert '1.5' in legend.text
    assert 'values at 2,000' in svg.text
    svg.send_keys(Keys.ARROW_RIGHT)
    assert 'values at 4,000' in svg.text
    svg.send_keys(Keys.ESCAPE)
    assert '0.5313' in legend.text
    ActionChains(page).move_to_element(svg).perform()
    assert 'values at 64,000' not in svg.text
    assert run(page, 'document.querySelectorAll(".cursor").length') == 1


def test_the_logarithmic_scale(page):
    norms = find(page, '.chart[data-index="2"]')
    button = norms.find_element('css selector', '.log')
    before = norms.find_element('css selector', 'path').get_attribute('d')
    assert button.get_attribute('aria-pressed') == 'false'  # 1.5 to 96
    button.click()
    assert button.get_attribute('aria-pressed') == 'true'
    assert norms.find_element('css selector', 'path').get_attribute('d') != before


def test_the_table_of_metrics_has_protocols(page):
    text = find(page, '#metrics').text
    for part in (
        'FID: not comparable between P1, P2.',
        'The protocols differ in generated, note.',
        '0.01 ± 0.002',
        '10,000',
    ):
        assert part in text
    assert run(page, 'document.querySelectorAll(".protocols .differs th").length') == 2


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [360, 768, 1280])
def test_no_horizontal_overflow(browser, address, width, scheme):
    show(browser, address, width, scheme)
    assert run(browser, 'innerWidth') == width  # a page that overflows makes a phone zoom out
    assert run(browser, 'document.documentElement.scrollWidth <= document.documentElement.clientWidth')
    beyond = run(
        browser,
        '[...document.querySelectorAll("main *")].filter((e) => !e.closest(".scroll") && e.getBoundingClientRect().right > innerWidth + 1)'
        '.map((e) => e.outerHTML.slice(0, 80))',
    )
    assert beyond == []


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_contrast(browser, address, scheme):
    """WCAG AA: 4.5 for text, 3 for curves, against the backgrounds that they stand on."""
    show(browser, address, 1280, scheme)
    names = ('page', 'card', 'warn', 'ink', 'muted', 'accent', 'bad', 'c1', 'c2', 'c3', 'c4')
    style = 'getComputedStyle(document.documentElement)'
    colours = {name: run(browser, f'{style}.getPropertyValue("--{name}").trim()') for name in names}
    assert (luminance(colours['page']) < 0.1) == (scheme == 'dark')
    assert run(browser, 'getComputedStyle(document.body).backgroundColor') == rgb(colours['page'])
    for back in ('page', 'card', 'warn'):
        for text in ('ink', 'muted', 'accent', 'bad'):
            assert contrast(colours[text], colours[back]) >= 4.5, (text, back)
    for curve in ('c1', 'c2', 'c3', 'c4'):
        assert contrast(colours[curve], colours['card']) >= 3, curve


def channels(colour):
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def rgb(colour):
    return f'rgb({", ".join(map(str, channels(colour)))})'


def luminance(colour):
    parts = [value / 255 for value in channels(colour)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_everything_operable_has_a_name(page):
    nameless = run(
        page,
        '[...document.querySelectorAll("button, input, a, [tabindex], img, svg")].filter((e) => '
        '!(e.getAttribute("aria-label") || e.getAttribute("alt") || e.textContent.trim())).length',
    )
    assert nameless == 0
    assert run(
        page,
        '[...document.querySelectorAll("[id]")].length === new Set([...document.querySelectorAll("[id]")].map((e) => e.id)).size',
    )
    targets = run(
        page,
        '[...document.querySelectorAll("a[href^=\'#\']")].filter((a) => !document.querySelector(a.hash)).length',
    )
    assert targets == 0


def test_it_prints(page):
    pdf = page.execute_cdp_cmd('Page.printToPDF', {'printBackground': True})['data']
    assert len(pdf) > 10_000
