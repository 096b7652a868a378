"""Cards of a real run and its exports, and what Croissant's own library says of them."""

import json
import logging

import pytest
from carded import meta, write_run
from runs import make_data, run, tiny

from jaxgan.cli import main
from jaxgan.documents import writing
from jaxgan.opened import open_generator

pytestmark = pytest.mark.slow
EVIL = '</script>" | {"@id": "x"}\n\u202e'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('carded')
    assert run(tiny(make_data(path), conditional=True, sample_every=1000), path / 'run') == 0
    return path


@pytest.mark.filterwarnings('ignore::DeprecationWarning', 'ignore::FutureWarning')  # within that library
@pytest.mark.parametrize('evil', [False, True])
def test_croissants_library_finds_no_error_and_reads_the_manifest(tmp_path, evil):
    mlcroissant = pytest.importorskip('mlcroissant')
    logging.getLogger('absl').setLevel(logging.ERROR)
    found = meta(name=f'folder:{EVIL}', licence=EVIL, classes=[EVIL, 'b']) if evil else meta()
    writing.write(tmp_path, writing.documents(write_run(tmp_path, found), ''))
    dataset = mlcroissant.Dataset(str(tmp_path / writing.DATASET))
    assert not dataset.metadata.ctx.issues.errors
    records = list(dataset.records('manifest'))
    assert [one['manifest/name'] for one in records] == [b'cat/a.png', b'dog/b.png', b'dog/c.png']
    assert records[1]['manifest/sha256'] == b'a1' * 32


def test_a_finished_training_has_its_cards_and_another_end_writes_them_anew(folder):
    text = (folder / 'run' / 'MODEL_CARD.md').read_text()
    assert f'| {open_generator(folder / "run").digest} |' in text and '| images seen | 64 |' in text
    assert str(folder) not in text + (folder / 'run' / 'dataset.croissant.json').read_text()
    (folder / 'run' / 'MODEL_CARD.md').unlink()
    assert run(tiny(make_data(folder), conditional=True, sample_every=1000), folder / 'run') == 0
    assert (folder / 'run' / 'MODEL_CARD.md').read_text() == text
    (folder / 'run' / 'card_notes.md').write_text('For tests.')
    assert main(['card', str(folder / 'run')]) == 0
    assert (folder / 'run' / 'MODEL_CARD.md').read_text() == text.replace(
        'Not stated by its maker.', 'For tests.'
    )


def test_an_export_has_the_card_of_its_own_checkpoint(folder):
    assert main(['export', str(folder / 'run'), str(folder / 'last')]) == 0
    assert (folder / 'last' / 'MODEL_CARD.md').read_text() == (folder / 'run' / 'MODEL_CARD.md').read_text()
    assert json.loads((folder / 'last' / 'generator.json').read_text())['data_card'].startswith(
        'MODEL_CARD.md'
    )
    assert main(['export', str(folder / 'run'), str(folder / 'first'), '--step', '4']) == 0
    text = (folder / 'first' / 'MODEL_CARD.md').read_text()
    assert '| images seen | 32 |' in text and open_generator(folder / 'first').digest in text


def test_an_export_without_a_card_says_so_until_it_has_one(folder, capsys):
    bare, out = folder / 'bare', folder / 'out.png'
    assert main(['export', str(folder / 'run'), str(bare)]) == 0
    for name in ('MODEL_CARD.md', 'dataset.croissant.json'):
        (bare / name).unlink()
    capsys.readouterr()
    assert main(['sample', str(bare), '--n', '4', '--out', str(out)]) == 0
    assert 'this generator comes without a data card' in capsys.readouterr().err
    assert main(['card', str(bare)]) == 0
    text = (bare / 'MODEL_CARD.md').read_text()
    assert (
        '| images seen | 64 | `generator.json: trained.images_seen` |' in text
        and '| loss | not stated |' in text
    )
    assert json.loads((bare / 'generator.json').read_text())['data_card'].startswith('MODEL_CARD.md')
    capsys.readouterr()
    assert main(['sample', str(bare), '--n', '4', '--out', str(out)]) == 0
    assert capsys.readouterr().err == ''
    assert main(['card', str(bare)]) == 2
    assert capsys.readouterr().err.count('\n') == 1
