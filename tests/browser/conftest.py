"""Headless Chromium for the tests of pages: Debian's packages ``chromium`` and ``chromium-driver``; nothing is downloaded."""

import os
import shutil

import pytest

BINARY, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    if not (BINARY and DRIVER):
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver, Debian's packages")
    webdriver = pytest.importorskip('selenium.webdriver')
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BINARY
    profile = tmp_path_factory.mktemp('profile')
    for argument in (
        '--headless=new',
        '--disable-dev-shm-usage',
        '--disable-background-networking',
        '--no-first-run',
        f'--user-data-dir={profile}',
        *(['--no-sandbox'] if os.geteuid() == 0 else []),  # Chromium's sandbox refuses to start as root
    ):
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()
