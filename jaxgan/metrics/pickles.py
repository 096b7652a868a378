"""Read what a pickle says without running it: an interpreter of its opcodes that knows data and a few inert names.

Python's own unpickler calls whatever a file names. This one walks the opcodes (``pickletools`` parses them and executes
nothing); a name in the file stays a word, a call is made only to a function of ours that was passed in for that word, and
everything else is an error before anything has happened.
"""

import io
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from jaxgan.errors import InputError

MOST_OPCODES = 2_000_000  # a state of 566 tensors has 20,000
MOST_TENSORS, DEEPEST, MOST_AXES = 10_000, 16, 16

DTYPES = {  # what weights may be made of, by safetensors' names
    'F64': np.dtype('<f8'), 'F32': np.dtype('<f4'), 'F16': np.dtype('<f2'), 'BF16': np.dtype(ml_dtypes.bfloat16),
    'I64': np.dtype('<i8'), 'I32': np.dtype('<i4'), 'U8': np.dtype('u1'), 'BOOL': np.dtype('?'),
}  # fmt: skip
_MARK = object()


class Word(NamedTuple):
    """A name that a pickle refers to, such as ``torch.FloatStorage``: a word, never the thing."""

    name: str


class Built:
    """A value that a pickle completes by a state (opcode BUILD); subclasses say what the state means."""

    def build(self, state: Any) -> None:
        """Take the state."""
        raise NotImplementedError


def interpret(
    stream: io.BytesIO, calls: Mapping[str, Callable], words: Any = (), persistent: Callable | None = None
) -> Any:
    """Read one pickle from a stream, up to and including its STOP.

    Args:
        stream: positioned at the pickle; is left behind it.
        calls: what the pickle may call, by name ('module.attribute'): functions of ours, which must trust no argument.
        words: further names it may mention; they become ``Word``.
        persistent: makes a value of a persistent identifier; without it there may be none.

    Returns:
        Dicts, lists, tuples, numbers, strings, bytes, ``None``, words, and what ``calls`` return.

    Raises:
        InputError: the pickle is malformed, or names or does what is not allowed; nothing of it was run.

    >>> interpret(io.BytesIO(b'(dp0\\nVone\\np1\\nI1\\ns.'), {})
    {'one': 1}
    >>> interpret(io.BytesIO(b'cshutil\\nrmtree\\n(Vhome\\ntR.'), {})
    Traceback (most recent call last):
    jaxgan.errors.InputError: it names shutil.rmtree, which no file of weights needs; nothing of it was run
    """
    machine = _Machine(calls, words, persistent)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count >= MOST_OPCODES:
                raise InputError(f'its pickle has more than {MOST_OPCODES:,} opcodes')
            machine.run(opcode.name, argument)
        return machine.stack.pop()
    except InputError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, MemoryError) as error:
        raise InputError(f'its pickle is malformed ({type(error).__name__}: {_first_line(error)})') from error


def flat(tree: Any, kind: type) -> dict[str, Any]:
    """Name the leaves of nested dicts by their path; a dict may hold itself, so depth and visits are bounded."""
    found: dict[str, Any] = {}
    todo, visits = [('', tree, 0)], 0
    while todo:
        path, node, depth = todo.pop()
        if isinstance(node, kind):
            found[path] = node
            continue
        if not isinstance(node, dict) or depth > DEEPEST:
            raise InputError(
                f'it holds {type(node).__name__} at {path or "the top"} where tensors by name are needed'
            )
        visits += 1 + len(node)
        if visits > MOST_TENSORS:
            raise InputError(f'it holds more than {MOST_TENSORS:,} tensors')
        todo += [
            (f'{path}/{key}' if path else str(key), value, depth + 1) for key, value in [*node.items()][::-1]
        ]
    return found


def is_size(value: Any) -> bool:
    """Tell whether a value is a number of things that a file could hold: an int, not negative, not absurd."""
    return type(value) is int and 0 <= value < 2**48


class _Machine:
    """The stack and the memo of a pickle, and what each opcode does to them."""

    def __init__(self, calls: Mapping[str, Callable], words: Any, persistent: Callable | None):
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._calls, self._words, self._persistent = calls, words, persistent

    def run(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _LITERALS:
            self.stack.append(argument)
        elif name in _MAKERS:
            self.stack.append(_MAKERS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in _NOTHING:
            raise InputError(f'its pickle uses the opcode {name}, which no file of weights needs')

    def since_mark(self) -> list[Any]:
        """Pop all above the last mark, and the mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                found = self.stack[place + 1 :]
                del self.stack[place:]
                return found
        raise ValueError('a mark is missing')

    def popped(self, count: int) -> list[Any]:
        """Pop some values, in the order in which they were pushed."""
        if len(self.stack) < count:
            raise ValueError('the stack is too short')
        found = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return found

    def name(self, name: str) -> None:
        if name not in self._calls and name not in self._words:
            raise InputError(f'it names {name}, which no file of weights needs; nothing of it was run')
        self.stack.append(Word(name))

    def stack_name(self, _: Any) -> None:
        module, attribute = self.popped(2)
        if not isinstance(module, str) or not isinstance(attribute, str):
            raise ValueError('a name that is no text')
        self.name(f'{module}.{attribute}')

    def call(self, _: Any) -> None:
        function, arguments = self.popped(2)
        if not isinstance(function, Word) or function.name not in self._calls:
            raise ValueError(
                f'it calls {function.name if isinstance(function, Word) else type(function).__name__}'
            )
        if not isinstance(arguments, tuple):
            raise ValueError('a call without arguments')
        self.stack.append(self._calls[function.name](*arguments))

    def build(self, _: Any) -> None:
        (state,) = self.popped(1)
        if isinstance(self.stack[-1], Built):
            self.stack[-1].build(state)
        elif not isinstance(
            self.stack[-1], dict
        ):  # attributes of a dict, such as torch's _metadata: not needed
            raise ValueError('a state for what takes none')

    def persist(self, _: Any) -> None:
        (identifier,) = self.popped(1)
        if self._persistent is None:
            raise ValueError('a persistent identifier')
        self.stack.append(self._persistent(identifier))

    def update(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict) or len(values) % 2:
            raise ValueError('items for no dict')
        # a tuple that holds itself many times over takes for ever to hash or to print
        if not all(isinstance(key, str | int) for key in values[::2]):
            raise ValueError('a key that is neither text nor number')
        self.stack[-1].update(zip(values[::2], values[1::2]))

    def extend(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError('items for no list')
        self.stack[-1].extend(values)

    def make_dict(self, _: Any) -> None:
        values = self.since_mark()
        self.stack.append({})
        self.update(values)

    def remember(self, place: int | None) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [''])[0][:120]


_NOTHING = {'PROTO', 'FRAME', 'STOP'}
_CONSTANTS = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False, 'EMPTY_TUPLE': (), 'MARK': _MARK}
_MAKERS: dict[str, Callable] = {'EMPTY_DICT': dict, 'EMPTY_LIST': list}
_LITERALS = {
    'INT', 'BININT', 'BININT1', 'BININT2', 'LONG', 'LONG1', 'LONG4', 'FLOAT', 'BINFLOAT',
    'UNICODE', 'BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8', 'STRING', 'BINSTRING', 'SHORT_BINSTRING',
    'BINBYTES', 'SHORT_BINBYTES', 'BINBYTES8',
}  # fmt: skip
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    'GLOBAL': lambda machine, text: machine.name('.'.join(text.split(' ', 1))),
    'STACK_GLOBAL': _Machine.stack_name,
    'REDUCE': _Machine.call,
    'BUILD': _Machine.build,
    'BINPERSID': _Machine.persist,
    'DICT': _Machine.make_dict,
    'LIST': lambda machine, _: machine.stack.append(machine.since_mark()),
    'TUPLE': lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    'TUPLE1': lambda machine, _: machine.stack.append(tuple(machine.popped(1))),
    'TUPLE2': lambda machine, _: machine.stack.append(tuple(machine.popped(2))),
    'TUPLE3': lambda machine, _: machine.stack.append(tuple(machine.popped(3))),
    'SETITEM': lambda machine, _: machine.update(machine.popped(2)),
    'SETITEMS': lambda machine, _: machine.update(machine.since_mark()),
    'APPEND': lambda machine, _: machine.extend(machine.popped(1)),
    'APPENDS': lambda machine, _: machine.extend(machine.since_mark()),
    'PUT': _Machine.remember,
    'BINPUT': _Machine.remember,
    'LONG_BINPUT': _Machine.remember,
    'MEMOIZE': _Machine.remember,
    'GET': lambda machine, place: machine.stack.append(machine.memo[place]),
    'BINGET': lambda machine, place: machine.stack.append(machine.memo[place]),
    'LONG_BINGET': lambda machine, place: machine.stack.append(machine.memo[place]),
}
