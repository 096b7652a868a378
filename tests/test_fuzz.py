"""Arbitrary and damaged input for the readers of files: they return, or raise one line, soon; the same cases in every run."""

import json
import tempfile

import hypothesis
import hypothesis.configuration
import pytest
from fuzz_targets import TARGETS, check_reader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxgan.config import Config
from jaxgan.configjson import to_dict

hypothesis.configuration.set_hypothesis_home_dir(tempfile.gettempdir() + '/jaxgan-hypothesis')
OF_JSON = ('config', 'record', 'card', 'architecture', 'lines', 'rewind', 'measurements')
PATIENT = ('lines', 'rewind', 'pairs', 'grid')  # they refuse nothing: they leave out what they cannot read
QUICK, THOROUGH = 8, 300


def same_each_time(count):
    return settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, -1, 2**31, 2**63, 10**30, 10**400, 1e308, 0.5])
)
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=8))
names = st.one_of(
    st.text(max_size=4), st.sampled_from(['kind', 'step', 'images_seen', 'name', 'meta', 'leaves', 'value'])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def paths(tree, here=()):
    """All places in nested dicts and lists."""
    yield here
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield from paths(value, (*here, key))


def put(tree, path, value):
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = put(tree[path[0]], path[1:], value)
    return copy


@st.composite
def altered(draw, tree):
    """A good value of which one part is another, or gone, or has a part more."""
    path = draw(st.sampled_from(list(paths(tree))))
    made = put(tree, path, draw(values))
    if isinstance(made, dict) and draw(st.booleans()):
        made = {**made, draw(names): draw(values)}
    return json.dumps(made).encode()


@st.composite
def damaged(draw, seeds):
    """A good file of which some bytes are others, gone, doubled, or more."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([1, 1, 2, 4, 8, 64]))
        what = draw(st.integers(0, 4))
        if what == 0:
            data[place : place + length] = draw(st.binary(min_size=length, max_size=length))
        elif what == 1:
            del data[place : place + length]
        elif what == 2:
            data[place:place] = data[place : place + length]
        elif what == 3:
            data[place : place + 1] = draw(
                st.sampled_from([b'\0', b'\xff', b'\x7f\xff\xff\xff', b'9' * 20, b'[' * 50])
            )
        else:
            del data[place:]
    return bytes(data)


def feed(target, strategy, count):
    """Feed a reader, and say how many were accepted and how many refused."""
    found = {True: 0, False: 0}

    @same_each_time(count)
    @given(strategy)
    def go(data):
        found[check_reader(target.read, data)] += 1

    go()
    return found


def strategies(name):
    target = TARGETS[name]
    seeds = target.seeds()
    made = {'bytes': st.binary(max_size=200), 'damaged': damaged(seeds)}
    if name in OF_JSON:
        tree = json.loads(seeds[0])
        made |= {'json': values.map(lambda value: json.dumps(value).encode()), 'altered': altered(tree)}
    return made


@pytest.mark.parametrize('name', list(TARGETS))
def test_readers_return_or_refuse(name):
    for strategy in strategies(name).values():
        feed(TARGETS[name], strategy, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize('name', list(TARGETS))
def test_readers_return_or_refuse_ten_thousand_times(name):
    total = {kind: feed(TARGETS[name], strategy, THOROUGH) for kind, strategy in strategies(name).items()}
    refused = sum(found[False] for found in total.values())
    assert refused > 100 or name in PATIENT


@pytest.mark.parametrize('name', list(TARGETS))
def test_the_seeds_are_good(name):
    assert all(check_reader(TARGETS[name].read, seed) for seed in TARGETS[name].seeds()[:1])


def test_a_fault_would_be_found():
    def careless(data):
        return json.loads(data)['step']

    with pytest.raises(BaseExceptionGroup):
        feed(TARGETS['config']._replace(read=careless), values.map(lambda v: json.dumps(v).encode()), 50)


models = st.sampled_from(
    [to_dict(Config())['model'], *({'kind': kind} for kind in ('mlp', 'sngan', 'stylegan2', 'transformer'))]
)


@same_each_time(30)
@given(models, st.integers(1, 65_536), st.floats(0, 1e6), st.text(max_size=5))
def test_configurations_come_back_equal(model, batch, rate, name):
    tree = to_dict(Config()) | {'model': model, 'batch_size': batch, 'loss': name}
    tree = put(tree, ('g_optimizer', 'learning_rate'), [rate, rate])
    from jaxgan.configjson import from_dict

    found = from_dict(tree)
    assert from_dict(to_dict(found)) == found
    assert (found.batch_size, found.loss, found.g_optimizer.learning_rate) == (batch, name, (rate, rate))
