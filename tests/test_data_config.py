"""The configuration of the data refuses values that mean nothing."""

import pytest

from jaxgan.data.config import DataConfig
from jaxgan.errors import InputError


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'size': 0}, 'data.size is 0; it must be at least 1 pixel'),
        (
            {'crop': 'centre'},
            "unknown value of data.crop 'centre'; did you mean 'center'? (allowed: none, center)",
        ),
        ({'resize': 'lanczo'}, "did you mean 'lanczos'?"),
        ({'bad_images': 'ignore'}, '(allowed: fail, skip)'),
        ({'residence': 'gpu'}, '(allowed: auto, device, stream)'),
        ({'channels': 4}, "unknown value of data.channels '4' (allowed: 1, 3)"),
    ],
)
def test_bad_values_are_named(values, message):
    config = DataConfig()
    for name, value in values.items():  # past the check of types that runs in the tests only
        object.__setattr__(config, name, value)
    with pytest.raises(InputError) as caught:
        config.__post_init__()
    assert message in str(caught.value)
    assert '\n' not in str(caught.value)


def test_defaults_are_valid():
    assert DataConfig().name == 'pixel_avatars'
