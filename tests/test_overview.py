"""`jaxgan --help`: each command stands in one group, with what it does."""

from jaxgan.cli import COMMANDS, main
from jaxgan.overview import GROUPS, first_clause, overview


def test_each_command_stands_in_one_group():
    names = [name for group in GROUPS.values() for name in group]
    assert sorted(names) == sorted(COMMANDS)


def test_lines_say_what_commands_do_and_fit_the_width(capsys):
    assert main(['--help']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert '  train              Train a GAN' in lines
    text = overview(dict.fromkeys(COMMANDS, 'Do ' + 'this and ' * 20), width=60)
    assert max(len(line) for line in text.splitlines()[1:]) <= 60


def test_a_number_and_a_name_with_a_dot_end_no_clause():
    assert first_clause('Write ``a.json``\n  for 0.5 of them. More.') == 'Write a.json for 0.5 of them'
