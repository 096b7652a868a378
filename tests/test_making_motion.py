"""``jaxgan walk`` and ``jaxgan canvas`` on a tiny run: what they write, what it says, and what they refuse."""

import numpy as np
import pytest
from PIL import Image
from runs import make_data, run, tiny

from jaxgan.cli import main
from jaxgan.marks.pictures import read_credit

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('motion')
    run(tiny(make_data(folder)), folder / 'run')
    return folder / 'run'


def frames(path):
    with Image.open(path) as film:
        return [
            (film.seek(i), np.asarray(film.convert('RGB')))[1] for i in range(getattr(film, 'n_frames', 1))
        ]


def test_a_walk_begins_at_its_first_seed(trained, tmp_path):
    out = tmp_path / 'a.png'
    assert (
        main(['walk', str(trained), '--seeds', '5,6', '--frames', '6', '--out', str(out), '--scale', '1'])
        == 0
    )
    assert main(['sample', str(trained), '--seeds', '5,6', '--out', str(tmp_path / 's.npz')]) == 0
    wanted = np.load(tmp_path / 's.npz')['images']
    found = frames(out)
    assert len(found) == 6
    for frame, image in ((found[0], wanted[0]), (found[3], wanted[1])):
        assert np.abs(frame.astype(int) - image).max() <= 1
    said = read_credit(out)
    assert (said['seeds'], said['path'], said['space']) == ('5,6', 'loop', 'z')


def test_a_wall_of_even_walks(trained, tmp_path):
    out = tmp_path / 'a.webp'
    command = [
        'walk',
        str(trained),
        '1',
        '--seeds',
        '2-4',
        '--grid',
        '2',
        '--even',
        'images',
        '--frames',
        '5',
    ]
    assert main([*command, '--psi', '0.5', '--path', 'spline', '--out', str(out)]) == 0
    assert frames(out)[0].shape == (68, 134, 3)
    assert read_credit(out)['even'] == 'images'


def test_a_canvas_tiles_and_a_world_grows(trained, tmp_path):
    def make(name, *options):
        assert main(['canvas', str(trained), '--out', str(tmp_path / name), *options]) == 0
        return np.asarray(Image.open(tmp_path / name)).astype(int)

    assert make('a.png', '--size', '32x24', '--tile').shape == (24, 32, 3)
    small, large = make('b.png', '--size', '40'), make('c.png', '--size', '72x60')
    assert np.abs(small[:16, :16] - large[:16, :16]).max() <= 1  # beyond, the border is in sight
    assert read_credit(tmp_path / 'a.png')['tile'] == 'yes'
    assert make('d.png', '--size', '40', '--span', '3', '--psi', '0.7').shape == (40, 40, 3)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['walk'], 'where shall the walk go'),
        (['walk', '--seeds', '1'], 'at least two places'),
        (['walk', '--seeds', '1-5', '--grid', '2'], '5 places make no 2 walks'),
        (['walk', '--seeds', '1,2', '--frames', '1'], 'frames 1 must be'),
        (['walk', '--seeds', '1,2', '--out', 'a.avi'], 'unknown kind of film'),
        (['canvas', '--size', '12', '--tile'], 'cannot tile'),
        (['canvas', '--size', '12y4'], 'cannot read size'),
        (['canvas', '--span', '0'], 'span 0 must be'),
    ],
)
def test_what_is_refused(trained, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main([arguments[0], str(trained), *arguments[1:]]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
