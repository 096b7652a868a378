"""``MODEL_CARD.md`` and ``dataset.croissant.json``: what run files say, with its source, and nothing else."""

import dataclasses
import json
import re

import pytest
from carded import AUDIT, DIGEST, LINES, RECORD, digest, meta, write_run

from jaxgan.documents import writing
from jaxgan.documents.known import Known, get, search
from jaxgan.documents.markdown import plain, scalar
from jaxgan.documents.modelcard import write_card
from jaxgan.errors import InputError
from jaxgan.opened import Generator

DERIVED = {
    '1,238',  # the parameters, whose sizes the record has
    '141.5', '121.25', '85.7%',  # sums over sessions, and their share
    '2', '1', '3',  # counts of lines, groups, images
}  # fmt: skip


def card(known, notes=''):
    return write_card(known, search(known), notes)


def dataset(known):
    return json.loads(writing.documents(known, '')[writing.DATASET])


def value(text, what):
    """The value that stands beside a name."""
    return re.search(rf'^\| {re.escape(what)} \| (.*?) \| `', text, re.MULTILINE)[1]


def numbers(text):
    """All numbers in a card but for digests, sources, protocols' short names and the example commands."""
    text = re.sub(
        r'```.*?```|`[^`]*`|\b[0-9a-f]{64}\b|\bP\d+\b|\br1\b|SHA-256|\w+\.\w+l?\b/\d+|checkpoints/48',
        ' ',
        text,
        flags=re.DOTALL,
    )
    return set(re.findall(r'(?<![\w.])-?\d[\d,.]*%?(?<![.,])', text))


def test_every_number_of_a_card_is_in_the_runs_files(tmp_path):
    known = write_run(tmp_path)
    raw = ''.join(path.read_text() for path in tmp_path.rglob('*.json*'))
    there = {float(one) for one in re.findall(r'(?<![\w.])-?\d+(?:\.\d+)?', raw)}
    words = set(re.findall(r'(?<![\w.])-?\d[\d.]*%?(?<!\.)', raw))  # versions, and numbers within sentences
    found = numbers(card(known))
    assert len(found) > 40
    for one in found - DERIVED:
        assert one in words or float(one.replace(',', '')) in there, one


TOLD = {
    'architecture': 'dcgan', 'image size': '20×20', 'channels': '3', 'classes': '2', 'latent values': '24', 'data': 'folder:pets', 'split': 'train',
    'images': '3', 'licence of the set': 'CC0-1.0', 'where it is from': 'not stated', 'left out, for they opt out': '7',
    'used although they opt out': '5', 'the reason given for that': 'they are mine', 'training': 'two_stage', 'loss': 'hinge', 'batch size': '18',
    'steps of the discriminator for one of the generator': '1', 'augmentation': 'none', 'seed': '77', 'steps': '48', 'images seen': '864',
    'penalties of the discriminator': 'r1, weight 0.31 to 0.11, every 16 steps', 'penalties of the generator': 'none',
    'optimizer of the generator': 'adam, learning rate 0.0021 to 0.0007, beta1 0, beta2 0.985', 'jaxgan': '0.1.0', 'jax': '0.10.2',
    'copies found': '19', 'of generated images': '10,007', 'rate of copies': '0.0019', 'C_T': '-0.375', 'audit passed': 'yes',
    'SHA-256 of the weights': DIGEST, 'fingerprint': 'trained into the weights', 'half-life of the average of weights, images': '5100',
}  # fmt: skip


def test_each_name_stands_beside_its_own_value(tmp_path):
    text = card(write_run(tmp_path))
    assert {what: value(text, what) for what in TOLD} == TOLD


def test_each_value_is_that_of_the_field_that_is_named(tmp_path):
    text = card(write_run(tmp_path))
    files = {'record.json': json.loads((tmp_path / RECORD).read_text()), 'audit.json': AUDIT}
    checked = 0
    for what, said, file, field in re.findall(
        r'^\| (.*?) \| (.*?) \| `(record.json|audit.json): ([\w.]+)` \|$', text, re.MULTILINE
    ):
        there = get(files[file], field)
        if not isinstance(there, list | dict) and '/home' not in str(there):
            assert said in (plain(there), f'{there}×{there}'), what
            checked += 1
    assert checked > 30


def test_what_is_counted(tmp_path):
    text = card(write_run(tmp_path))
    assert value(text, 'files left out') == value(text, 'images excluded') == '1'
    assert value(text, 'only some of the split: data.subset') == '77'
    assert value(text, 'creators') == 'Ann (3)' and value(text, 'near-duplicates') == '2 images in 1 group'
    assert (
        value(text, 'of these in steps') == '121.25, 85.7% of the wall time' and value(text, 'starts') == '2'
    )


CHANGES = {
    'metrics.jsonl': ('seconds', 'seconds of training', '123.25', '124.5'),
    'sessions.jsonl': ('wall', 'wall time, seconds', '141.5', '194.5'),
    'warnings.jsonl': ('step', 'collapse', '1 time; the last at step 33: diversity fell to 0.125', '1 time; the last at step 34: diversity fell to 0.125'),
    'faults.jsonl': ('restored', 'failed step', 'step 35, d: nan in d/loss; went back to step 24', 'step 35, d: nan in d/loss; went back to step 12'),
    'removals.jsonl': ('reason', 'removed', '1 image: asked for', '1 image: sued'),
}  # fmt: skip
NEW = {
    'metrics.jsonl': 124.5,
    'sessions.jsonl': 124.5,
    'warnings.jsonl': 34,
    'faults.jsonl': 12,
    'removals.jsonl': 'sued',
}


@pytest.mark.parametrize('name', sorted(CHANGES))
def test_a_card_follows_the_runs_files(tmp_path, name):
    field, what, before, after = CHANGES[name]
    assert value(card(write_run(tmp_path / 'a')), what) == before
    lines = [*LINES[name][:-1], LINES[name][-1] | {field: NEW[name]}]
    assert value(card(write_run(tmp_path / 'b', **{name: lines})), what) == after


def test_a_card_follows_the_checkpoints_record(tmp_path):
    said = value(card(write_run(tmp_path / 'a')), 'left out, for they opt out')
    other = value(card(write_run(tmp_path / 'b', meta(opted_out=8))), 'left out, for they opt out')
    assert (said, other) == ('7', '8')


def test_a_card_says_what_belongs_to_the_weights_and_to_earlier_steps_only(tmp_path):
    known = write_run(tmp_path)
    later = [line | {'step': 96} for line in LINES['metrics.jsonl']]
    assert (
        value(card(write_run(tmp_path / 'later', **{'metrics.jsonl': later})), 'seconds of training')
        == 'not stated'
    )
    assert value(card(known), 'copies found') == '19'
    (tmp_path / 'audit.json').write_text(json.dumps(AUDIT | {'model': 'cd' * 32}))
    text = card(known)
    assert (
        'audit.json is left out: it is of other weights' in text and 'is not stated: `jaxgan audit`' in text
    )
    (tmp_path / 'audit.json').write_text('{"a": 1, "a": 2}')
    assert 'stands twice in one object' in card(known)


def test_no_number_of_an_evaluation_stands_without_its_protocol(tmp_path):
    text = card(write_run(tmp_path))
    assert re.search(r'\| FID \| 13\.625 \|  \| 48 \| 864 \| P1 \|', text)
    assert re.search(r'\| FID \| 11\.125 \| 0\.25 \| 48 \| 864 \| P2 \|', text)
    assert '- all: extractor vgg16; data folder:pets; split train; real 3; seed 0' in text
    assert '- P1: fake 5,003\n- P2: fake 9,001' in text


def test_files_are_named_with_their_digests_and_the_card_is_the_same_again(tmp_path):
    known = write_run(tmp_path)
    text = card(known)
    assert f'| metrics.jsonl | {digest(tmp_path / "metrics.jsonl")} |' in text
    assert writing.documents(known, 'Fun.') == writing.documents(known, 'Fun.')


def test_what_no_file_says_is_not_stated():
    known = Known(
        {'architecture': {'kind': 'dcgan'}, 'labels': [], 'data': {'name': 'x'}, 'trained': {'step': 1}},
        DIGEST,
        5,
    )
    text = card(known)
    for what in ('images', 'licence of the set', 'loss', 'images seen', 'jax', 'seconds of training'):
        assert f'| {what} | not stated |' in text, what
    assert numbers(text.split('## How')[0]) <= {'5'} and 'license:' not in text


def test_no_folder_of_a_machine_and_no_key(tmp_path):
    for text in writing.documents(write_run(tmp_path), '').values():
        for secret in (str(tmp_path), '/home', 'ann/', 'secret.key'):
            assert secret not in text.decode(), secret


EVIL = (
    '</td><script>alert(1)</script> | [a](javascript:x) **b** `c` ![d](//e)\n---\nlicense: evil\n# h \u202e'
)


def test_hostile_texts_stay_texts(tmp_path):
    said = meta(
        name=f'npz:{EVIL}', licence=EVIL, origin=f'https://a/{EVIL}', opt_out_reason=EVIL, classes=[EVIL, 'b']
    )
    said['architecture']['kind'] = EVIL
    said['config'] |= {'loss': EVIL, 'augment': [EVIL], 'penalties': EVIL, 'g_optimizer': {'name': EVIL}}
    lines = {
        'warnings.jsonl': [{'step': 1, 'signal': EVIL, 'message': EVIL}],
        'removals.jsonl': [{'reason': EVIL, 'images': EVIL}],
    }
    lines['evaluations.jsonl'] = [
        {'step': 1, 'images_seen': 1, 'metric': EVIL, 'value': 1, 'std': None, 'protocol': {EVIL: EVIL}}
    ]
    known = write_run(tmp_path, said, **lines)
    text = card(known)
    assert '<' not in text and '>' not in text and '\u202e' not in text
    assert not re.search(r'(?<!\\)\[a', text) and not re.search(r'(?<!\\)!\\?\[d', text)
    assert [line for line in text.splitlines() if line == '---'] == ['---'] * 2 and not re.search(
        '^license', text, re.MULTILINE
    )
    pipes = {len(re.findall(r'(?<!\\)\|', line)) for line in text.splitlines() if line.startswith('|')}
    assert pipes == {3, 4, 7}  # of the tables' own
    assert dataset(known)['license'] == [re.sub(r'\s+', ' ', EVIL.replace('\u202e', '\ufffd'))]


def test_the_front_matter_is_yaml(tmp_path):
    yaml = pytest.importorskip('yaml')
    odd = 'a: "b" #\\ \U0001f600'
    assert yaml.safe_load(f'- {scalar(odd)}') == [odd]
    front = card(write_run(tmp_path, meta(name='cifar10')), 'license: mit\nFor fun.').split('---\n')[1]
    assert yaml.safe_load(front) == {
        'license': 'mit',
        'library_name': 'jaxgan',
        'tags': ['gan', 'jax', 'jaxgan', 'dcgan'],
        'datasets': ['cifar10'],
    }


def test_notes_are_taken_as_they_are_below_their_heading(tmp_path):
    known = write_run(tmp_path)
    text = card(known, 'license: apache-2.0\n# Not for faces\n*Really.*\n```\n# no heading\n<!--')
    end = '## Intended use and limitations\n\nLicence of the weights: apache-2.0\n\n### Not for faces\n*Really.*\n```\n# no heading\n<!--\n'
    assert text.endswith(end) and text.startswith('---\nlicense: "apache-2.0"\n')
    assert card(known).endswith('\nNot stated by its maker.\n')


def test_values_of_any_form_are_one_short_line():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    values = [deep, [[1, 2], {'a': None}], 10**4000, float('inf'), '\ud800', 'x' * 10_000, {'a': [True]}]
    for one in values:
        assert len(plain(one)) <= 400 and plain(one).isprintable(), one
    while deep:  # Python's own way of freeing it is deep as well
        deep = deep.pop()


@pytest.mark.parametrize('data', [b'\xff\xfe', b'x' * (2**20 + 1)])
def test_notes_that_are_no_text_are_refused(tmp_path, data):
    (tmp_path / 'n.md').write_bytes(data)
    with pytest.raises(InputError, match='notes'):
        writing.read_notes(tmp_path / 'n.md')
    with pytest.raises(InputError, match='no such file'):
        writing.read_notes(tmp_path / 'other.md', needed=True)
    assert writing.read_notes(tmp_path / 'other.md') == ''


def test_the_data_card_names_the_manifest_with_its_digest(tmp_path):
    found = dataset(write_run(tmp_path))
    files = {one['@id']: one for one in found['distribution']}
    assert files['manifest-file']['sha256'] == digest(tmp_path / 'data_manifest.jsonl')
    assert files['files']['includes'] == ['**/*.png'] and files['files']['encodingFormat'] == ['image/png']
    assert (
        found['name'] == 'folder:pets'
        and found['license'] == ['CC0-1.0']
        and found['creator'] == [{'@type': 'sc:Person', 'name': 'Ann'}]
    )
    classes = next(one for one in found['recordSet'] if one['@id'] == 'classes')
    assert [one['classes/name'] for one in classes['data']] == ['cat', 'dog']
    assert (
        'url' not in found
        and found['rai:dataCollection'] == 'not stated'
        and '7 images' in found['rai:dataCollectionMissingData']
    )


def test_a_manifest_of_other_data_is_left_out(tmp_path):
    known = write_run(tmp_path, meta(count=4))
    text = card(known)
    assert 'data_manifest.jsonl is left out: it lists 3 images, and the training had 4' in text
    assert value(text, 'licences of single images') == 'CC0-1.0 (3)'
    assert len(dataset(known)['distribution']) == 1


def test_a_card_that_cannot_be_written_is_one_line_and_no_error(tmp_path):
    said = []
    writing.at_end(tmp_path, said.append)
    assert len(said) == 1 and 'was not written' in said[0] and '\n' not in said[0]


def test_an_export_of_a_run_without_a_card_says_so(tmp_path):
    found = Generator({}, {}, {'data': {}}, tmp_path / '48')
    made, files = writing.for_export(found, tmp_path)
    assert not files and made.card['data_card'] == 'none: the run has none; jaxgan card writes it'
    made, files = writing.for_export(dataclasses.replace(found, checkpoint=None), tmp_path)
    assert not files and made.card['data_card'] == 'none: the export that this was made of has none'


def test_an_export_takes_the_runs_documents_along(tmp_path):
    found = Generator({}, {}, {'data': {}}, tmp_path / '48')
    (tmp_path / 'MODEL_CARD.md').write_text(f'mine, of {found.digest}')
    (tmp_path / 'dataset.croissant.json').write_text('{}')
    made, files = writing.for_export(found, tmp_path)
    assert files == {'MODEL_CARD.md': f'mine, of {found.digest}'.encode(), 'dataset.croissant.json': b'{}'}
    assert made.card['data_card'] == 'MODEL_CARD.md, dataset.croissant.json'
