// SPDX-License-Identifier: MIT
// Creates a VM by libmacrohard and tells its state; where there can be none, why, and the cure.
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int};
use std::process::ExitCode;
use std::ptr;

// What is needed of <macrohard/*.h>. Handles are opaque.
#[repr(C)]
struct Ctx {
    _private: [u8; 0],
}

#[repr(C)]
struct Vm {
    _private: [u8; 0],
}

#[repr(C)]
struct VmConfig {
    size: usize,
    name: *const c_char,
    memory_bytes: u64,
    cpus: u32,
    flags: u32,
}

extern "C" {
    fn mh_version() -> *const c_char;
    fn mh_err_name(error: c_int) -> *const c_char;
    fn mh_last_error(ctx: *mut Ctx) -> *const c_char;
    fn mh_ctx_create(config: *const u8, out: *mut *mut Ctx) -> c_int;
    fn mh_ctx_destroy(ctx: *mut Ctx) -> c_int;
    fn mh_vm_create(ctx: *mut Ctx, config: *const VmConfig, out: *mut *mut Vm) -> c_int;
    fn mh_vm_destroy(vm: *mut Vm);
    fn mh_vm_state(vm: *mut Vm) -> c_int;
}

fn text(from: *const c_char) -> String {
    // The library's strings are never NULL, and end with a zero byte.
    unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned()
}

struct Context(*mut Ctx);

impl Context {
    fn new() -> Result<Self, String> {
        let mut ctx = ptr::null_mut();
        match unsafe { mh_ctx_create(ptr::null(), &mut ctx) } {
            0 => Ok(Context(ctx)),
            error => Err(text(unsafe { mh_err_name(error) })),
        }
    }

    fn vm(&self, name: &str, memory_bytes: u64) -> Result<Machine<'_>, String> {
        let name = CString::new(name).map_err(|_| "a name cannot have a zero byte")?;
        let config = VmConfig {
            size: std::mem::size_of::<VmConfig>(),
            name: name.as_ptr(),
            memory_bytes,
            cpus: 1,
            flags: 0,
        };
        let mut vm = ptr::null_mut();
        match unsafe { mh_vm_create(self.0, &config, &mut vm) } {
            0 => Ok(Machine(vm, self)),
            error => Err(format!(
                "{}: {}",
                text(unsafe { mh_err_name(error) }),
                text(unsafe { mh_last_error(self.0) })
            )),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        unsafe { mh_ctx_destroy(self.0) };
    }
}

// It borrows its context, and so cannot outlive it.
struct Machine<'a>(*mut Vm, #[allow(dead_code)] &'a Context);

impl Machine<'_> {
    fn state(&self) -> &'static str {
        ["created", "running", "paused", "stopped"][unsafe { mh_vm_state(self.0) } as usize]
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        unsafe { mh_vm_destroy(self.0) };
    }
}

fn run() -> Result<(), String> {
    println!("libmacrohard {}", text(unsafe { mh_version() }));
    let ctx = Context::new()?;
    let vm = ctx.vm("from Rust", 16 << 20)?;
    println!("the VM is {}", vm.state());
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
