"""Photograph the page of a studio in headless Chromium: ``python docs/scripts/studio_picture.py STUDIO OUT.png`` (needs selenium).

STUDIO is a folder that ``jaxgan studio RUN --out STUDIO`` wrote; one image is chosen, as a visitor would.
"""

import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from jaxgan.studio.server import make_server

SIZE = {'width': 1280, 'height': 1200, 'deviceScaleFactor': 1, 'mobile': False}
READY = 'return document.documentElement.dataset.ready === "true"'
CHOSEN = '#wall button:nth-of-type(8)'  # seed 7
SECONDS = 120


def open_browser(profile: str) -> webdriver.Chrome:
    """Start Chromium as the tests of the page do."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium') or ''
    for argument in ('--headless=new', '--no-sandbox', '--hide-scrollbars', f'--user-data-dir={profile}'):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=Service(shutil.which('chromedriver')))


def photograph(browser: webdriver.Chrome, address: str, out: Path) -> None:
    """Wait for the page and the chosen image, and save what a window of ``SIZE`` shows."""
    wishes = [{'name': 'prefers-color-scheme', 'value': 'light'}]
    browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': wishes})
    browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', SIZE)
    browser.get(address)
    end = time.monotonic() + SECONDS
    while not browser.execute_script(READY):
        if time.monotonic() > end:
            raise SystemExit(f'the page was not ready within {SECONDS} s')
        time.sleep(0.2)
    browser.find_element('css selector', CHOSEN).click()
    time.sleep(3)  # the worker draws it
    browser.execute_script('window.scrollTo(0, 0); document.activeElement.blur()')
    browser.save_screenshot(str(out))


def main(studio: str, out: str) -> None:
    """Serve the studio on localhost, and photograph it."""
    server = make_server(Path(studio), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        browser = open_browser(profile)
        try:
            photograph(browser, f'http://localhost:{server.server_address[1]}/', Path(out))
        finally:
            browser.quit()
            server.shutdown()


if __name__ == '__main__':
    main(*sys.argv[1:])
