/* SPDX-License-Identifier: MIT */
/* Devices of the machine that the embedder attaches to or feeds: serial ports, the power button. */
#include "api/agent_impl.h"

#define SERIAL_PORTS 4u

static int check_serial(struct mh_vm *vm, unsigned int port)
{
	if (!vm->machine)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "serial port of VM \"%s\": a bare VM (MH_VM_BARE) has none; "
				   "create it without that flag",
				   vm->name);
	if (port >= SERIAL_PORTS)
		return mhi_err_set(
			mhi_ctx_err(vm->ctx), MH_EINVAL,
			"serial port of VM \"%s\": there is no port %u; choose one from 0 to %u",
			vm->name, port, SERIAL_PORTS - 1);
	return 0;
}

int mh_serial_attach(struct mh_vm *vm, unsigned int port, mh_serial_fn *fn, void *opaque)
{
	int rc;

	if (!vm)
		return MH_EINVAL;
	rc = check_serial(vm, port);
	if (rc)
		return rc;
	rc = mhi_vm_enter_setup(vm, "serial port of");
	if (rc)
		return rc;
	if (vm->agent && port == mhi_agent_serial(vm->agent))
		rc = mhi_err_set(mhi_ctx_err(vm->ctx), MH_EEXIST,
				 "serial port of VM \"%s\": the guest's agent has COM2; take "
				 "another one",
				 vm->name);
	else
		rc = mhi_machine_serial_attach(vm->machine, port, fn, opaque, mhi_ctx_err(vm->ctx));
	if (!rc)
		vm->serials =
			fn ? vm->serials | (u32)MHI_BIT(port) : vm->serials & ~(u32)MHI_BIT(port);
	mhi_vm_leave(vm);
	return rc;
}

int mh_serial_input(struct mh_vm *vm, unsigned int port, const void *data, size_t bytes)
{
	int rc;

	if (!vm)
		return MH_EINVAL;
	rc = check_serial(vm, port);
	if (rc)
		return rc;
	if (!data && bytes)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "serial port of VM \"%s\": data is NULL; pass some", vm->name);
	return (int)mhi_machine_serial_input(vm->machine, port, data, bytes);
}

int mh_vm_power_button(struct mh_vm *vm)
{
	enum mh_vm_state state;

	if (!vm)
		return MH_EINVAL;
	if (!vm->machine)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "power button of VM \"%s\": a bare VM (MH_VM_BARE) has none; "
				   "stop it by mh_vm_stop",
				   vm->name);
	state = mh_vm_state(vm);
	if (state != MH_VM_RUNNING)
		return mhi_err_set(
			mhi_ctx_err(vm->ctx), MH_ESTATE,
			"power button of VM \"%s\": it is not running; start or resume it first",
			vm->name);
	/*
	 * Not under the VM's lock: the button raises an interrupt, and devices have locks of
	 * their own.
	 */
	mhi_machine_power_button(vm->machine);
	return 0;
}
