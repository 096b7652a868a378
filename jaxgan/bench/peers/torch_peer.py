"""The PyTorch side of the benchmarks: a process that times what it is asked to, one case at a time.

It runs in a Python that has PyTorch and knows nothing of jaxgan. One line of JSON comes in, one goes out:

    {"case": {...}, "seconds": 0.5}   ->   {"times": [0.41, ...], "parameters": [g, d]}   or   {"error": "one line"}

A case stays built and warm until another kind of work drops it by ``{"drop": true}``; ``"seconds": 0`` only builds and
warms up. The first line it prints describes it: versions, device, threads.
"""

import ctypes
import json
import os
import platform
import sys
import time


def keep_freed_memory():
    """Do what ``jaxgan.runtime.keep_freed_memory`` does for its own process (glibc's malloc.h)."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, 'gnu_get_libc_version'):
        for option, value in ((-4, 0), (-1, 2**31 - 1), (-2, 64 << 20)):
            libc.mallopt(option, value)


def builders():
    """Name the kinds of work."""
    import torch_data
    import torch_lazy
    import torch_ops
    import torch_sample
    import torch_steps

    return {
        'conv': torch_ops.build,
        'step': torch_steps.build,
        'lazy': torch_lazy.build,
        'sample': torch_sample.build,
        'gather': torch_data.build,
    }


def describe(torch, device):
    """Say what computes here."""
    versions = {'torch': torch.__version__, 'python': platform.python_version()}
    try:
        import onnxruntime

        versions['onnxruntime'] = onnxruntime.__version__
    except ImportError:
        pass
    name = torch.cuda.get_device_name() if device == 'cuda' else 'cpu'
    return {'versions': versions, 'device': name, 'threads': torch.get_num_threads()}


def repeated(step, times):
    """Make a call of so many steps."""

    def call():
        for _ in range(times):
            step()

    return call


def timed(call, wait, seconds):
    """Time single calls for so many seconds, at least two."""
    times, started = [], time.perf_counter()
    while len(times) < 2 or time.perf_counter() - started < seconds:
        before = time.perf_counter()
        call()
        wait()
        times.append(time.perf_counter() - before)
    return times


def answer(request, built, kinds, device, wait):
    """Do one request."""
    if request.get('drop'):
        built.clear()
        return {}
    name = json.dumps(request['case'], sort_keys=True)
    if name not in built:
        case = dict(request['case'])
        build, steps = kinds[case.pop('kind')], case.pop('steps', 1)
        step, parameters = build(device=device, **case)
        call = repeated(step, steps)
        for _ in range(request.get('calls', 2)):  # the first one compiles or chooses kernels
            call()
        wait()
        built[name] = call, parameters
    call, parameters = built[name]
    times = timed(call, wait, request['seconds']) if request['seconds'] else []
    return {'times': times, 'parameters': parameters}


def main():
    """Serve until the input ends."""
    out = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # what a library prints goes elsewhere: this line is for answers only
    keep_freed_memory()
    import torch

    torch.set_num_threads(
        len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    )
    device = 'cuda' if sys.argv[1:] == ['gpu'] and torch.cuda.is_available() else 'cpu'
    wait = torch.cuda.synchronize if device == 'cuda' else (lambda: None)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision('high')  # on a GPU, TF32: what JAX uses there by default
    torch.manual_seed(0)
    print(json.dumps(describe(torch, device)), file=out, flush=True)
    kinds, built = builders(), {}
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), built, kinds, device, wait)
        except Exception as error:
            reply = {'error': f'{type(error).__name__}: {" ".join(str(error).split())[:200]}'}
        print(json.dumps(reply), file=out, flush=True)


if __name__ == '__main__':
    main()
