// SPDX-License-Identifier: MIT
// Creates a VM by libmacrohard and tells its state; where there can be none, why, and the cure.
package main

/*
#cgo pkg-config: macrohard
#include <stdlib.h>
#include <macrohard/macrohard.h>

// An INIT macro is no value that cgo knows.
static struct mh_vm_config vm_config(void)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;

	return config;
}
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

func createVM(ctx *C.struct_mh_ctx, name string, memory uint64) (*C.struct_mh_vm, error) {
	var vm *C.struct_mh_vm

	// The sentence belongs to the thread that called, and goroutines change threads.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	config := C.vm_config()
	config.name = C.CString(name)
	defer C.free(unsafe.Pointer(config.name))
	config.memory_bytes = C.uint64_t(memory)
	if rc := C.mh_vm_create(ctx, &config, &vm); rc != 0 {
		return nil, fmt.Errorf("%s: %s", C.GoString(C.mh_err_name(rc)),
			C.GoString(C.mh_last_error(ctx)))
	}
	return vm, nil
}

func run() error {
	var ctx *C.struct_mh_ctx

	fmt.Println("libmacrohard", C.GoString(C.mh_version()))
	if rc := C.mh_ctx_create(nil, &ctx); rc != 0 {
		return fmt.Errorf("%s", C.GoString(C.mh_err_name(rc)))
	}
	defer C.mh_ctx_destroy(ctx)
	vm, err := createVM(ctx, "from Go", 16<<20)
	if err != nil {
		return err
	}
	defer C.mh_vm_destroy(vm)
	states := []string{"created", "running", "paused", "stopped"}
	fmt.Println("the VM is", states[C.mh_vm_state(vm)])
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
