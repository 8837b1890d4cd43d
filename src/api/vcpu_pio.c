/* SPDX-License-Identifier: MIT */
/*
 * A guest's access to I/O ports: the only way from a vCPU to the ports' bus, past the VM's rules.
 * Without rules nothing here locks, allocates or logs.
 */
#include <time.h>

#include "api/impl.h"

/* At most one line a second and vCPU: a guest may hammer. */
static void log_port(struct mh_vcpu *v, const char *what, u16 port)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if ((u64)now.tv_sec == v->port_log_second)
		return;
	mhi_log(&v->vm->ctx->log, MH_LOG_WARN,
		"VM \"%s\": vCPU %u: %s port 0x%x is denied by a rule; so far %llu were",
		v->vm->name, v->index, what, port, v->ports_denied);
	v->port_log_second = (u64)now.tv_sec;
}

static bool denied(struct mh_vcpu *v, u16 port, unsigned int bytes, u32 access)
{
	const char *what = access == MH_PORT_IN ? "IN from" : "OUT to";
	bool claimed = mhi_bus_has(&v->vm->pio, port, bytes);
	enum mh_port_action action = mhi_policy_port(&v->vm->policy, port, bytes, access, claimed);

	if (action == MH_PORT_DEFAULT)
		return false;
	mhi_count(&v->ports_denied);
	if (action == MH_PORT_LOG)
		log_port(v, what, port);
	if (action == MH_PORT_STOP)
		mhi_vcpu_fail(v, MH_STOP_ERROR, "%s port 0x%x, at which a rule stops the guest",
			      what, port);
	return true;
}

u32 mhi_vcpu_in(struct mh_vcpu *v, u16 port, unsigned int bytes)
{
	u64 value = ~0ull >> (64 - 8 * bytes);

	if (!v->vm->policy.ports || !denied(v, port, bytes, MH_PORT_IN))
		mhi_bus_read(&v->vm->pio, port, bytes, &value);
	return (u32)value;
}

void mhi_vcpu_out(struct mh_vcpu *v, u16 port, unsigned int bytes, u32 value)
{
	if (!v->vm->policy.ports || !denied(v, port, bytes, MH_PORT_OUT))
		mhi_bus_write(&v->vm->pio, port, bytes, value);
}
