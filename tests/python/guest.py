# SPDX-License-Identifier: MIT
"""Boots guests by the Python package: one of three instructions, and Linux with its console.

usage: guest.py KERNEL INITRD
"""
import json
import sys

import macrohard
from macrohard import abi

PORT = 0xE9


def bare(ctx):
    """A guest that adds two registers and tells the sum through a port."""
    told = []
    with ctx.vm("bare", memory=1 << 20, flags=abi.MH_VM_BARE) as vm:

        def on_write(offset, size, value):
            told.append((offset, size, value))
            vm.stop()

        vm.on_pio(PORT, 2, write=on_write)
        # add ax, bx; out 0xe9, ax; hlt
        vm.write(0x1000, bytes([0x01, 0xD8, 0xE7, PORT, 0xF4]))
        sregs = vm.sregs()
        sregs.cs.selector = sregs.cs.base = 0
        vm.set_sregs(sregs)
        vm.set_regs(abi.mh_regs(rip=0x1000, rflags=2, rax=40, rbx=1 << 8 | 2))
        vm.start()
        vm.wait(20)
        assert told == [(0, 2, 298)], told
        assert vm.stop_reason == abi.MH_STOP_REQUEST
        assert vm.regs().rax == 298, vm.regs().rax


def linux(ctx, kernel, initrd):
    text = bytearray()
    with ctx.vm("Linux in Python", memory=256 << 20) as vm:
        vm.boot(kernel, initrd, "console=ttyS0 quiet")
        vm.on_serial(text.extend)
        vm.attach(abi.mh_rng_config)
        vm.start()
        vm.wait(200)
        print(text.decode(errors="replace"))
        assert vm.stop_reason == abi.MH_STOP_POWEROFF, vm.stop_text
    assert b"GUEST TESTS: 0 failed" in text


def errors(ctx):
    """A failure is an exception with the library's own sentence."""
    try:
        ctx.vm("too many", cpus=1000)
    except macrohard.Error as error:
        assert error.name == "MH_EINVAL" and error.code == abi.MH_EINVAL, error.name
        assert "too many" in str(error) and "cpus" in str(error), str(error)
        print(error)
    else:
        raise AssertionError("1000 CPUs")


def main():
    with macrohard.Context() as ctx:
        assert json.loads(ctx.probe())["schema"] == "macrohard.probe/1"
        errors(ctx)
        bare(ctx)
        linux(ctx, *sys.argv[1:3])
    print("PYTHON: done")


main()
