# SPDX-License-Identifier: MIT
"""Virtual machines in this process, by libmacrohard.

    with macrohard.Context() as ctx, ctx.vm("demo", memory=256 << 20) as vm:
        vm.boot("vmlinuz", "initramfs", "console=ttyS0")
        vm.on_serial(sys.stdout.buffer.write)
        vm.start()
        vm.wait()

macrohard.lib has every function of the C headers, macrohard.abi their structures and constants; what
the classes here do not cover is called so, with Context.check for its errors. Handlers run in
threads of the library. The variable MACROHARD_LIBRARY names another library to load.
"""
import ctypes
import os

from . import _abi as abi

lib = ctypes.CDLL(os.environ.get("MACROHARD_LIBRARY", "libmacrohard.so.1"))
for _name, (_result, *_parameters) in abi.FUNCTIONS.items():
    _function = getattr(lib, _name)
    _function.restype, _function.argtypes = _result, _parameters


class Error(Exception):
    """A call failed: code is one of abi.MH_E..., name its name."""

    def __init__(self, code, text):
        super().__init__(text or lib.mh_strerror(code).decode())
        self.code = code
        self.name = lib.mh_err_name(code).decode()


def config(struct, **fields):
    """A structure as its MH_..._INIT macro makes it, then with these fields; text may be str."""
    made = struct()
    if struct.__name__ in abi.INITIAL:
        made.size = ctypes.sizeof(struct)
        for index, value in abi.INITIAL[struct.__name__][1].items():
            setattr(made, struct._fields_[index][0], value)
    for name, value in fields.items():
        setattr(made, name, os.fsencode(value) if isinstance(value, (str, os.PathLike)) else value)
    return made


class Context:
    """The engine and the log: abi.MH_ENGINE_SHIM or abi.MH_ENGINE_KVM; log(level, text)."""

    def __init__(self, engine=abi.MH_ENGINE_SHIM, log=None, log_level=abi.MH_LOG_WARN):
        self._handle = ctypes.POINTER(abi.mh_ctx)()
        c = config(abi.mh_ctx_config, engine=engine, log_level=log_level)
        if log:
            # The C function calls ours for as long as the context lives.
            self._log = abi.mh_log_fn(lambda _, level, text: log(level, text.decode(errors="replace")))
            c.log = self._log
        code = lib.mh_ctx_create(ctypes.byref(c), ctypes.byref(self._handle))
        if code < 0:
            raise Error(code, "")

    @property
    def handle(self):
        """The struct mh_ctx *, for lib.mh_..."""
        return self._handle

    def check(self, code):
        """Raise Error for a negative result, else return it."""
        if code < 0:
            raise Error(code, lib.mh_last_error(self._handle).decode(errors="replace"))
        return code

    def vm(self, name, memory=0, cpus=1, flags=0):
        return VM(self, name, memory, cpus, flags)

    def probe(self):
        """Can a VM be started here? The report as JSON text, schema macrohard.probe/1."""
        report = ctypes.POINTER(abi.mh_probe)()
        self.check(lib.mh_probe_create(self._handle, ctypes.byref(report)))
        try:
            text = lib.mh_probe_json(report)
            if text is None:
                raise MemoryError
            return text.decode()
        finally:
            lib.mh_probe_free(report)

    def close(self):
        """Free it; all its VMs must be closed."""
        if self._handle:
            self.check(lib.mh_ctx_destroy(self._handle))
            self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class VM:
    """A virtual machine; memory in bytes. See <macrohard/vm.h> for states and errors."""

    def __init__(self, ctx, name, memory, cpus, flags):
        self.ctx = ctx
        self._handle = ctypes.POINTER(abi.mh_vm)()
        self._kept = []  # what C code points to
        c = config(abi.mh_vm_config, name=name, memory_bytes=memory, cpus=cpus, flags=flags)
        ctx.check(lib.mh_vm_create(ctx.handle, ctypes.byref(c), ctypes.byref(self._handle)))

    @property
    def handle(self):
        """The struct mh_vm *, for lib.mh_..."""
        return self._handle

    def _call(self, function, *args):
        return self.ctx.check(function(self._handle, *args))

    def boot(self, kernel=None, initrd=None, cmdline="", firmware=None):
        """A kernel, or firmware: the path of a BIOS image, or "bios"."""
        c = config(abi.mh_boot_config, kernel=kernel, initrd=initrd, cmdline=cmdline, firmware=firmware)
        self._call(lib.mh_vm_boot, ctypes.byref(c))

    def on_serial(self, handler, port=0):
        """handler(bytes): what the guest writes to COM1, COM2, ..."""
        fn = abi.mh_serial_fn(lambda _, data, count: handler(ctypes.string_at(data, count)) and None)
        self._call(lib.mh_serial_attach, port, fn, None)
        self._kept.append(fn)

    def type(self, data, port=0):
        """Type bytes into a serial port; returns how many it took."""
        return self._call(lib.mh_serial_input, port, data, len(data))

    def on_pio(self, port, count, read=None, write=None):
        """read(offset, bytes) -> value, write(offset, bytes, value) for I/O ports."""
        ops = abi.mh_io_ops(version=1)
        kinds = dict(abi.mh_io_ops._fields_)
        if read:
            ops.read = kinds["read"](lambda _, offset, size: read(offset, size))
        if write:
            ops.write = kinds["write"](lambda _, offset, size, value: write(offset, size, value) and None)
        self._call(lib.mh_vm_pio_add, port, count, ctypes.byref(ops), None)
        self._kept.append(ops)

    def attach(self, struct, **fields):
        """A device, by the name of its configuration: attach(abi.mh_disk_config, path="a.qcow2")."""
        device = ctypes.POINTER(abi.mh_dev)()
        function = getattr(lib, struct.__name__.replace("_config", "_attach"))
        c = config(struct, **fields)
        self._call(function, ctypes.byref(c), ctypes.byref(device))
        self._kept.append(c)
        return device

    def read(self, address, count):
        """Bytes of the guest's memory."""
        data = ctypes.create_string_buffer(count)
        self._call(lib.mh_vm_mem_read, address, data, count)
        return data.raw

    def write(self, address, data):
        self._call(lib.mh_vm_mem_write, address, data, len(data))

    def regs(self, cpu=0):
        regs = abi.mh_regs()
        self._call(lib.mh_vcpu_get_regs, cpu, ctypes.byref(regs))
        return regs

    def set_regs(self, regs, cpu=0):
        self._call(lib.mh_vcpu_set_regs, cpu, ctypes.byref(regs))

    def sregs(self, cpu=0):
        sregs = abi.mh_sregs()
        self._call(lib.mh_vcpu_get_sregs, cpu, ctypes.byref(sregs))
        return sregs

    def set_sregs(self, sregs, cpu=0):
        self._call(lib.mh_vcpu_set_sregs, cpu, ctypes.byref(sregs))

    def start(self):
        self._call(lib.mh_vm_start)

    def pause(self):
        self._call(lib.mh_vm_pause)

    def resume(self):
        self._call(lib.mh_vm_resume)

    def stop(self):
        self._call(lib.mh_vm_stop)

    def reset(self):
        """Press the reset button: it begins again, and goes on if it ran."""
        self._call(lib.mh_vm_reset)

    def wait(self, timeout=None):
        """Until it is stopped; seconds. Raises Error MH_ETIMEDOUT."""
        self._call(lib.mh_vm_wait, -1 if timeout is None else int(timeout * 1000))

    @property
    def state(self):
        return lib.mh_vm_state(self._handle)

    @property
    def stop_reason(self):
        return lib.mh_vm_stop_reason(self._handle)

    @property
    def stop_text(self):
        return lib.mh_vm_stop_text(self._handle).decode(errors="replace")

    def close(self):
        """Stop it if need be, and free it. Not from a handler."""
        if self._handle:
            lib.mh_vm_destroy(self._handle)
            self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
