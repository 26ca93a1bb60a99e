import subprocess
import sys

import pytest

PAGE_FAULTS = """
import resource, sys, torch
from micrographia.runs.allocator import keep_large_allocations
if sys.argv[1] == "keep" and not keep_large_allocations():
    sys.exit(77)
torch.set_num_threads(1)
for step in range(30):
    torch.ones(16 * 2**20)  # 64 MiB, more than glibc ever keeps by itself
    if step == 9:  # aligned blocks need a little slack: the heap settles after a few
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", PAGE_FAULTS, mode], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip("the C library is not glibc")
    return int(done.stdout)


def test_repeated_large_tensors_fault_no_pages():
    # In huge pages even the mapped tensors fault seldom: at least one per 2 MiB.
    assert faults("default") >= 20 * 64 / 2
    assert faults("keep") < 100


def test_another_c_library_is_left_alone(monkeypatch):
    from micrographia.runs import allocator

    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    assert allocator.keep_large_allocations() is False
