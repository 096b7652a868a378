"""``jaxgan verify``: every layer, every alteration, exit codes, and files of strangers."""

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from jaxgan import watermark
from jaxgan.cli import main
from jaxgan.credentials import Credit
from jaxgan.errors import InputError
from jaxgan.marks import hashes, record
from jaxgan.marks.animation import write_animation
from jaxgan.marks.pictures import write_picture
from jaxgan.marks.signing import Signature
from jaxgan.provenance.verifying import alterations, candidates, matching, seen, signatures
from jaxgan.provenance.verifying import verify as verifying

MODEL, OTHER = 'ab' * 32, 'cd' * 32
SIDE = 128


def smooth(seed=0, side=SIDE):
    """A random picture of low frequencies, uint8 [side, side, 3]."""
    small = np.random.default_rng(seed).integers(40, 215, (6, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A folder of a marked picture, a.png, and its record."""
    folder = tmp_path_factory.mktemp('made')
    write_picture(folder / 'a.png', smooth(), Credit(MODEL, 'emoji', '7'))
    return folder


def verify(capsys, *arguments):
    """Run it: exit code, the lines of JSON, standard error."""
    code = main(['verify', *map(str, arguments), '--json'])
    out, err = capsys.readouterr()
    return code, [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()], err


def layers(line):
    return {layer['name']: layer for layer in line['layers']}


def test_what_was_written_is_proved_by_two_layers_and_claimed_by_its_metadata(made, capsys):
    code, (line,), _ = verify(capsys, made / 'a.png', '--jsonl', made / 'provenance.jsonl')
    found = layers(line)
    assert code == 0 and line['proved'] and line['altered'] == []
    assert found['watermark']['verdict'] == found['record']['verdict'] == 'proves'
    assert found['watermark']['p_value'] < 1e-6 and found['watermark']['facts']['model'] == MODEL
    assert found['XMP']['verdict'] == 'claims' and found['XMP']['facts']['seeds'] == '7'


def test_who_asks_for_a_fingerprint_is_told_of_that_alone(made, tmp_path, capsys):
    key, other, path = tmp_path / 'key', tmp_path / 'other', tmp_path / 'p' / 'a.png'
    key.write_bytes(bytes(range(32)))
    other.write_bytes(bytes(range(1, 33)))
    code, (line,), err = verify(capsys, made / 'a.png', '--fingerprint', key)
    assert code == 4 and line['proved'] and layers(line)['watermark']['verdict'] == 'proves'
    assert f'1 of 1 files have no mark of the secret {key}: ' in err
    one = candidates.fingerprint_of(key.read_bytes())
    pattern = watermark.make_pattern(one.key, SIDE, SIDE, one.basis)
    write_picture(path, watermark.embed(smooth(), pattern), Credit(MODEL, 'emoji', '7'))
    assert verify(capsys, path, '--fingerprint', key)[0] == 0
    assert verify(capsys, path, '--fingerprint', other)[0] == 4
    assert verify(capsys, path, made, '--fingerprint', key)[0] == 4
    assert verify(capsys, path, made)[0] == 0


def test_for_readers_there_is_a_block_for_each_file(made, capsys):
    assert main(['verify', str(made / 'a.png')]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.endswith('a.png') and 'anybody can write that' in rest[0]
    assert [line.split()[0] for line in rest] == ['XMP', 'C2PA', 'watermark', 'record', 'altered']


CHANGES = {
    'bare.png': (lambda image: image, {}, ['metadata were removed', 'pixels are those of the original']),
    'again.jpg': (lambda image: image, {'quality': 60}, ['stored again as JPEG (it was PNG)', 'PSNR']),
    'mirrored.png': (lambda image: image.transpose(0), {}, ['mirrored']),
    'large.png': (lambda image: image.resize((3 * SIDE, 3 * SIDE), 0), {}, ['enlarged by 3']),
    'bright.png': (lambda image: image.point(lambda value: value * 1.2), {}, ['brighter by']),
    'half.png': (lambda image: image.resize((96, 96), 3), {}, ['resized from 128x128 to 96x96']),
}


@pytest.mark.parametrize('name', CHANGES)
def test_alterations_are_recognised(made, tmp_path, capsys, name):
    change, options, words = CHANGES[name]
    with Image.open(made / 'a.png') as image:
        change(image.convert('RGB')).save(tmp_path / name, **options)
    _, (line,), _ = verify(capsys, tmp_path / name, '--jsonl', made / 'provenance.jsonl', '--no-search')
    told = '; '.join(line['altered'])
    assert all(word in told for word in words), told
    assert layers(line)['record']['facts']['file'] == 'a.png'


@pytest.mark.slow
@pytest.mark.parametrize('box', [None, (5, 3, 121, 126)])
def test_a_search_finds_the_mark_of_mirrored_and_cut_pictures(made, tmp_path, capsys, box):
    with Image.open(made / 'a.png') as image:
        (image.crop(box) if box else image.transpose(0)).convert('RGB').save(tmp_path / 'b.png')
    (tmp_path / 'r.jsonl').write_bytes((made / 'provenance.jsonl').read_bytes())  # without the original
    arguments = (tmp_path / 'b.png', '--jsonl', tmp_path / 'r.jsonl')
    code, (line,), _ = verify(capsys, *arguments)
    assert code == 0 and layers(line)['watermark']['facts']['how']
    assert verify(capsys, *arguments, '--no-search')[0] == 4


def test_a_piece_is_found_in_its_original():
    whole = smooth(3, 64)
    found = alterations.compare(whole, whole[9:50, 4:60])
    assert found.same and not found.whole and 'from column 4, row 9' in found.words[0]
    assert alterations.compare(whole, smooth(4, 64)).psnr < alterations.ALIKE


def test_metadata_alone_are_no_proof(tmp_path, capsys):
    image = Image.fromarray(smooth())
    packet = Credit(MODEL, 'emoji', '7')
    from jaxgan.marks.pictures import options

    image.save(tmp_path / 'a.png', **options('PNG', packet))
    code, (line,), err = verify(capsys, tmp_path / 'a.png', '--no-search')
    assert code == 4 and not line['proved'] and 'which is no proof' in err
    assert layers(line)['XMP']['verdict'] == 'claims' and layers(line)['watermark']['verdict'] == 'nothing'


def test_metadata_of_another_model_contradict_the_mark(made, tmp_path, capsys):
    from jaxgan.marks.pictures import options

    with Image.open(made / 'a.png') as image:
        image.save(tmp_path / 'b.png', **options('PNG', Credit(OTHER, 'emoji')))
    code, (line,), _ = verify(capsys, tmp_path / 'b.png', '--jsonl', made / 'provenance.jsonl')
    mark = layers(line)['watermark']
    assert code == 0 and mark['facts']['model'] == MODEL and mark['facts']['contradicts'] == OTHER
    assert 'contradicts its metadata' in mark['words']


def test_many_small_pictures_prove_together_what_not_each_does_alone(tmp_path, capsys):
    pattern = watermark.make_pattern(watermark.model_key(MODEL), 32, 32)
    for i in range(30):
        noise = np.random.default_rng(i).integers(-12, 13, (32, 32, 3))
        image = np.clip(smooth(i, 32) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(watermark.embed(image, pattern)).save(tmp_path / f'{i}.jpg', quality=50)
    (tmp_path / 'r').mkdir()
    write_picture(tmp_path / 'r' / 'x.png', smooth(99, 32), Credit(MODEL, 'emoji'))
    record = tmp_path / 'r' / 'provenance.jsonl'
    code, (*files, group), _ = verify(capsys, tmp_path, '--jsonl', record, '--no-search')
    assert code == 0 and not all(line['proved'] for line in files)
    assert group['proved'] and group['p_value'] < 1e-6
    assert len(group['together']) == sum(not line['proved'] for line in files)


def test_a_secret_is_needed_where_one_was_used(tmp_path, capsys):
    key, wrong = tmp_path / 'key', tmp_path / 'wrong'
    key.write_bytes(b'k' * 32), wrong.write_bytes(b'w' * 32)
    pattern = watermark.make_pattern(watermark.model_key(MODEL, b'k' * 32), SIDE, SIDE)
    write_picture(tmp_path / 'o' / 'a.png', smooth(1), Credit(MODEL, 'emoji'))
    Image.fromarray(watermark.embed(smooth(2), pattern)).save(tmp_path / 'b.png')
    arguments = (tmp_path / 'b.png', '--jsonl', tmp_path / 'o' / 'provenance.jsonl', '--no-search')
    assert verify(capsys, *arguments)[0] == 4
    assert verify(capsys, *arguments, '--mark-key', wrong)[0] == 4
    code, (line,), _ = verify(capsys, *arguments, '--mark-key', key)
    assert code == 0 and layers(line)['watermark']['facts']['secret'] is True


@pytest.mark.parametrize('same', [True, False])
def test_a_record_beside_a_file_claims_and_one_that_is_named_proves(made, tmp_path, capsys, same):
    Image.fromarray(smooth(7)).save(tmp_path / 'photo.png')
    data = (tmp_path / 'photo.png').read_bytes()
    entry = json.loads((made / 'provenance.jsonl').read_text().splitlines()[0])
    forged = entry | {'file': 'photo.png', 'sha256': hashlib.sha256(data).hexdigest(), 'marks': []}
    forged['phash'] = f'{int(hashes.phashes(smooth(7)[None])[0]):016x}'
    (tmp_path / 'provenance.jsonl').write_text(f'{json.dumps(forged)}\n')
    asked = tmp_path / 'photo.png'
    if not same:  # other bytes, and all pixels of the original beside the record
        asked = tmp_path / 'bare.png'
        Image.fromarray(smooth(7)).save(asked, optimize=True, dpi=(72, 72))
    code, (line,), err = verify(capsys, asked, '--no-search')
    found = layers(line)['record']
    assert code == 4 and found['verdict'] == 'claims' and 'which is no proof' in err
    assert 'anybody can put such a record beside' in found['words'] and found['facts']['exact'] is same
    code, (line,), _ = verify(capsys, asked, '--no-search', '--jsonl', tmp_path / 'provenance.jsonl')
    assert code == 0 and layers(line)['record']['verdict'] == 'proves'


def test_a_broken_record_beside_a_file_hinders_nothing(made, tmp_path, capsys):
    (tmp_path / 'a.png').write_bytes((made / 'a.png').read_bytes())
    (tmp_path / 'provenance.jsonl').write_text('[1]\n')
    code, (line,), _ = verify(capsys, tmp_path / 'a.png', '--no-search')
    found = layers(line)['record']
    assert code == 0 and found['verdict'] == 'not looked at' and 'line 1, is no JSON object' in found['words']
    assert verify(capsys, tmp_path / 'a.png', '--jsonl', tmp_path / 'provenance.jsonl')[0] == 2


def test_proved_pictures_do_not_carry_others_along(made, tmp_path, capsys):
    for i in range(6):
        write_picture(tmp_path / f'{i}.png', smooth(i), Credit(MODEL, 'emoji'))
        with Image.open(tmp_path / f'{i}.png') as image:
            image.convert('RGB').save(tmp_path / f'{i}.png')
    for i in range(2):
        Image.fromarray(smooth(90 + i)).save(tmp_path / f'foreign{i}.png')
    code, (*files, group), _ = verify(capsys, tmp_path, '--no-search')
    assert code == 4 and [line['proved'] for line in files] == [True] * 6 + [False] * 2
    assert not group['proved'] and len(group['together']) == 2


def test_films_and_arrays_are_tested_as_a_whole(tmp_path, capsys):
    write_animation(
        tmp_path / 'a.webp', [smooth(i, 64) for i in range(3)], 0.1, Credit(MODEL, 'emoji'), scale=1
    )
    (tmp_path / 'provenance.jsonl').unlink()
    pattern = watermark.make_pattern(watermark.model_key(MODEL), 64, 64)
    images = watermark.embed(np.stack([smooth(i, 64) for i in range(9)]), pattern)
    np.savez(tmp_path / 'b.npz', images=images, credit=json.dumps({'model': MODEL}))
    code, lines, _ = verify(capsys, tmp_path, '--no-search')
    assert code == 0
    told = [layers(line)['watermark']['words'] for line in lines]
    assert '3 frames together' in told[0] and '9 images together' in told[1]


def test_no_model_no_record_nothing_to_look_for(tmp_path, capsys):
    Image.fromarray(smooth()).save(tmp_path / 'a.png')
    code, (line,), err = verify(capsys, tmp_path / 'a.png')
    found = layers(line)
    assert code == 4 and 'nothing proves of 1 of 1 files' in err and line['altered'] is None
    assert found['watermark']['verdict'] == found['record']['verdict'] == 'not looked at'


def test_a_name_in_a_record_leads_nowhere_else(tmp_path):
    (tmp_path / 'x.png').write_bytes(b'')
    for name in ('../x.png', 'd/x.png', '/etc/passwd', '..', ''):
        assert matching.Match({'file': name}, tmp_path / 'd' / 'r.jsonl', False).original() is None
    assert matching.Match({'file': 'x.png'}, tmp_path / 'r.jsonl', False).original() == tmp_path / 'x.png'


def test_a_record_of_many_models_costs_no_more_than_some():
    models = [hashlib.sha256(bytes([i])).hexdigest() for i in range(200)]
    keys = candidates.candidates({MODEL: 'run'}, models, {'model': OTHER}, b's' * 16)
    assert len(keys) == 2 * candidates.MOST and [key.model for key in keys[:4]] == [
        MODEL,
        MODEL,
        OTHER,
        OTHER,
    ]
    assert keys[4].model == models[0] and keys[0].secret and not keys[1].secret


def test_what_a_record_names_is_listed_once_the_newest_first(tmp_path):
    path = tmp_path / 'r.jsonl'
    lines = [(MODEL, [8, 9]), (OTHER, None), (OTHER, [1, -1]), (MODEL, [16, 16]), (MODEL, [8, 9])]
    entry = {'file': 'a.png', 'sha256': 'a' * 64, 'kind': 'x', 'marks': [], 'details': {}}
    record.append(path, [entry | {'model': model, 'size': size} for model, size in lines])
    found = matching.read_records([path])
    assert (found.models, found.sizes) == ((MODEL, OTHER), ((8, 9), (16, 16)))


def test_only_so_many_pixels_are_kept_for_sets(tmp_path, monkeypatch, capsys):
    for i in range(3):
        Image.fromarray(smooth(i, 32)).save(tmp_path / f'{i}.png')
    monkeypatch.setattr(verifying, 'MOST_SET', 2 * 32 * 32 * 3)
    sets, find = [], verifying.find_sets
    monkeypatch.setattr(
        verifying, 'find_sets', lambda judged, *rest: sets.extend(judged) or find(judged, *rest)
    )
    assert main(['verify', str(tmp_path), '--no-search']) == 4
    assert [len(one.seen.images) for one in sets] == [1, 1, 0] and {one.seen.size for one in sets} == {
        (32, 32)
    }
    assert 'pictures beyond the first 6,144 bytes of pixels' in capsys.readouterr().out


def test_an_npz_that_unpacks_to_too_much_is_refused_wherever_that_lies(tmp_path, monkeypatch):
    path = tmp_path / 'a.npz'
    many: dict = {f'x{i}': np.zeros(1) for i in range(80)}
    np.savez_compressed(path, **many, images=np.zeros((40, 32, 32, 3), np.uint8))
    monkeypatch.setattr(seen, 'MOST_BYTES', 100_000)
    with pytest.raises(InputError, match='unpacks to more than 100,000 bytes'):
        seen.see(path, path.read_bytes())


BAD = {
    'empty.png': b'',
    'text.png': b'hello',
    'box.mp4': b'\0\0\0\x18ftypisom' + b'\xff' * 30,
    'zip.npz': b'PK\x03\x04' + b'\0' * 50,
}


@pytest.mark.parametrize('name', BAD)
def test_a_file_that_cannot_be_read_is_reported_after_the_others(made, tmp_path, capsys, name):
    (tmp_path / name).write_bytes(BAD[name])
    code, (bad, good), err = verify(capsys, tmp_path / name, made / 'a.png')
    assert code == 2 and good['proved'] and name in bad['error'] and '1 of 2 files cannot be read' in err


def test_arrays_that_are_no_images_are_refused(tmp_path, capsys):
    np.savez(tmp_path / 'a.npz', images=np.zeros((2, 4, 4, 3)))
    assert verify(capsys, tmp_path / 'a.npz')[0] == 2
    file = io.BytesIO()
    np.savez(file, x=np.zeros(3))
    (tmp_path / 'a.npz').write_bytes(file.getvalue())
    assert verify(capsys, tmp_path / 'a.npz')[0] == 2


@pytest.mark.parametrize(
    'arguments',
    [
        ['no.png'],
        ['a.png', '--fpr', '0'],
        ['a.png', '--fpr', 'nan'],
        ['a.png', '--jsonl', 'no'],
        ['a.png', '--model', 'no'],
    ],
)
def test_bad_options_are_one_line(made, monkeypatch, capsys, arguments):
    monkeypatch.chdir(made)
    assert main(['verify', *arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_signature_proves_only_what_it_says():
    signed = Signature(
        'Valid', (signatures.UNTRUSTED,), 'me', 'trainedAlgorithmicMedia', {'model': MODEL}, ()
    )
    verdicts = [
        signatures.judge(signed),
        signatures.judge(signed._replace(state='Trusted')),
        signatures.judge(signed._replace(fields={})),
        signatures.judge(signed._replace(state='Invalid', failures=('assertion.dataHash.mismatch',))),
    ]
    assert [layer.verdict for layer in verdicts] == ['claims', 'proves', 'nothing', 'broken']
    assert 'assertion.dataHash.mismatch' in verdicts[-1].words


def test_ppm_streams_end_where_they_are_cut():
    one = b'P6\n2 1\n255\n' + bytes(6)
    assert [frame.shape for frame in seen._ppm(one * 2 + one[:-1])] == [(1, 2, 3)] * 2
