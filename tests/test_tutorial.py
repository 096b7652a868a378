"""The tutorial, docs/studio.md, as a person would paste it: each block in order, on a short training of the embedded default.

The commands are run as they stand; only the model that they are run on is narrower, and trained for less.
"""

import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from jaxgan import cli
from jaxgan.errors import Failure
from jaxgan.marks.pictures import read_credit
from jaxgan.opened import open_generator
from jaxgan.studio.runtime import find_runtime

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / 'docs/studio.md').read_text()
PACKAGES = ('jax2onnx', 'onnx', 'onnxruntime')
MAKERS = (
    'sample',
    'project',
    'vary',
    'interpolate',
    'directions',
    'edit',
    'walk',
    'canvas',
    'encoder',
    'export',
    'studio',
)
PICTURES = ('.png', '.webp', '.gif')
TRAINING = ['train', '--model.width', '16', '--model.d-width', '16', '--model.refine', '0', '--images', '6400', '--checkpoint-every', '6400']  # fmt: skip


class Step(NamedTuple):
    """A line of a block, or a line with the document that it reads."""

    text: str

    @property
    def command(self):
        """What follows ``python -m jaxgan``, as a shell splits it; None for other lines, and for those that need a shell."""
        if not self.text.startswith('python -m jaxgan ') or '>' in self.text or '\n' in self.text:
            return None
        return shlex.split(self.text)[3:]

    @property
    def needs_onnx(self):
        return '--format onnx' in self.text or ' studio runs' in self.text


def steps_of(page):
    steps = []
    for block in re.findall(r'^```bash\n(.*?)^```$', page, re.MULTILINE | re.DOTALL):
        steps += re.findall(r"^.*<<'END'\n[\s\S]*?^END$|^.+$", block, re.MULTILINE)
    return [Step(text) for text in steps]


STEPS = steps_of(PAGE)


def test_the_tutorial_shows_each_command_that_makes_images():
    assert set(MAKERS) <= set(cli.COMMANDS)
    # a new command is either one of these, or one that makes no image
    others = {
        'train',
        'evaluate',
        'audit',
        'plan',
        'compare',
        'report',
        'reproduce',
        'prepare',
        'zoo',
        'verify-checkpoint',
        'bench',
        # docs/responsible.md
        'plan',
        'verify',
        'attribute',
        'index',
        'exposure',
        'remove',
        'manifest',
        'card',
    }
    assert set(cli.COMMANDS) == {*MAKERS, *others}
    shown = {step.command[0] for step in STEPS if step.command}
    assert shown == set(MAKERS)


def test_what_stands_in_blocks_is_all_that_there_is():
    """No line is lost between the page and the test."""
    lines = [
        line
        for block in re.findall(r'^```bash\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    assert [line for step in STEPS for line in step.text.splitlines()] == lines
    assert len(STEPS) > 30


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with runs/pixel_avatars, trained for a few hundred steps."""
    place = tmp_path_factory.mktemp('tutorial')
    with contextlib.chdir(place):
        assert cli.main(TRAINING) == 0
        assert open_generator(Path('runs/pixel_avatars')).card['data']['name'] == 'pixel_avatars'
    return place


def run(step):
    """Run a step where we are, and return what it printed."""
    if step.command is None:
        path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        environment = {**os.environ, 'PATH': path, 'PYTHONPATH': str(ROOT)}
        done = subprocess.run(['bash', '-ec', step.text], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (step.text, done.stderr)
        return done.stdout
    printed, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
        code = cli.main(step.command)
    assert code == 0, (step.text, errors.getvalue())
    return printed.getvalue()


def made_by(step):
    """Name what a step says that it writes."""
    if step.command is None:
        return re.findall(r"(\w+\.(?:png|npy))(?=$|'\)| 0)", step.text)
    if step.command[0] == 'export':
        return [step.command[2]]
    named = [b for a, b in zip(step.command, step.command[1:], strict=False) if a in ('--out', '--trace')]
    return named or ['runs/pixel_avatars/encoder']


def pictures_of(path):
    """Name the pictures by which we judge what was written: of a folder its sheet, else its first one."""
    if not path.is_dir():
        return [path] if path.suffix in PICTURES else []
    assert any(path.iterdir()), path
    sheets = [path / name for name in ('all.png', 'projections.png') if (path / name).exists()]
    return sheets or sorted(path.glob('*.png'))[:1]


def check_picture(path, seen):
    """A picture is whole, says by which model it was made, is not of one colour, and shows what no other one does."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert('RGB')).astype(float)
        frames = getattr(image, 'n_frames', 1)
    assert frames > 1 or path.suffix != '.gif', path
    assert pixels.std() > 10, path
    assert read_credit(path) is not None, path
    for name, other in seen.items():
        assert pixels.shape != other.shape or np.abs(pixels - other).mean() > 0.5, f'{path} is as {name}'
    seen[str(path)] = pixels


@pytest.mark.slow
def test_each_step(folder, monkeypatch):
    monkeypatch.chdir(folder)
    told, seen = {}, {}
    for step in STEPS:
        if step.needs_onnx:
            continue
        told[step.text] = run(step)
        for name in made_by(step):
            path = Path(name) if Path(name).exists() else Path('avatars_jax', name)
            assert path.exists(), (step.text, name)
            for picture in pictures_of(path) if step.command else ():
                check_picture(picture, seen)
    assert len(seen) > 25
    check_told(told)
    check_files()


def check_told(told):
    """What the page quotes has the form in which it is printed."""
    forms = {
        '--reject drs': r'^16 of \d+ seeds were accepted$',
        '--mix': r'^strength 1: \d+\.\d\d of 255 from the start \(root mean square\)$',
        '--out found': r'^\d+% at 30 dB or more; median \d+\.\d dB$',
        'train,test': r'KS p against train$',
        '--even --loop': r'^steps: median [\d.]+ of 255, largest [\d.]+ \([\d.]+ times the median\)$',
        '--apart all': r'^direction +accuracy +auc +share$',
        '--tile': r'which tiles$',
        '--format jax': r'its images are (the same bytes as|\d level of 255 from those) here',
    }
    for part, form in forms.items():
        lines = [printed for text, printed in told.items() if part in text]
        assert lines, part
        assert re.search(form, lines[0], re.MULTILINE), (part, lines[0])


def check_files():
    """Some of what the page promises of the files."""
    images = np.load('four.npz')['images']
    traces = [json.loads(line) for line in Path('four.jsonl').read_text().splitlines()]
    assert [trace['seed'] for trace in traces] == [0, 1, 2, 3]
    assert images.shape == (4, 16, 16, 3)
    taken = np.load('avatars_jax/images.npy').astype(int)
    assert np.abs(taken - images).max() <= 1  # without jaxgan, to a level
    assert len(list(Path('avatars').glob('*.png'))) == 50
    record = json.loads(Path('found/projections.json').read_text())
    assert [image['name'] for image in record['images']] == ['ann', 'bea']
    assert {image['rights'] for image in record['images']} == {'CC0 1.0, DiceBear'}
    kept = np.asarray(Image.open('inpainted/ann.png').convert('RGB'))[8:]
    given = np.asarray(Image.open('ann.png').convert('RGB'))[8:]
    assert (
        np.abs(kept.astype(int) - given).max() <= 24 and np.mean((kept.astype(float) - given) ** 2) < 10
    )  # but for the mark: 38 dB
    with Image.open('variations.png') as sheet:
        assert sheet.width / sheet.height == pytest.approx(8 / 5, abs=0.02)
    made = np.asarray(Image.open('texture.png').convert('RGB')).astype(float)
    assert made.shape == (256, 256, 3)
    seam, inside = np.abs(made[0] - made[-1]).mean(), np.abs(np.diff(made, axis=0)).mean()
    assert seam < 1.5 * inside


@pytest.mark.slow
def test_steps_that_need_onnx(folder, monkeypatch):
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f'needs {", ".join(missing)}')
    monkeypatch.chdir(folder)
    for step in STEPS:
        if not step.needs_onnx:
            continue
        if step.command[0] == 'studio':
            try:
                find_runtime(None)
            except Failure as failure:
                pytest.skip(f'needs onnxruntime-web: {failure}')
        run(step)
    assert Path('avatars_onnx/generator.onnx').stat().st_size > 10_000
    assert {'index.html', 'model.json'} <= {path.name for path in Path('studio').iterdir()}
