/* SPDX-License-Identifier: MIT */
/*
 * The part of libmacrohard's API that the CLI calls, over a guest that is a thread: it greets with
 * "READY", answers each line with "got LINE", and obeys some words. So that the CLI is tested
 * anywhere. The serial port's queue is 16 bytes, as a 16550's.
 */
#include <macrohard/agent.h>
#include <macrohard/macrohard.h>

#include "core/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define QUEUE_BYTES 16

#define EVENTS 16

struct mh_ctx {
	enum mh_engine_kind engine;
	struct mhi_err error;
};

/* All fields but the thread's own are under lock. */
struct mh_vm {
	struct mh_ctx *ctx;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char queue[QUEUE_BYTES];
	size_t queued;
	bool started, stop, button, display;
	enum mh_vm_state state;
	enum mh_stop_reason reason;
	mh_serial_fn *print;
	void *print_opaque;
	struct mh_event events[EVENTS];
	unsigned int told, taken;
	int events_fd;
};

struct mh_probe {
	int verdict;
};

const char *mh_version(void)
{
	return "9.9.9";
}

/* What the reader of documents, which is the real one, asks of its context. */
struct mhi_err *mhi_ctx_err(struct mh_ctx *ctx);
enum mh_engine_kind mhi_ctx_engine_kind(const struct mh_ctx *ctx);
bool mhi_ctx_on_loop(struct mh_ctx *ctx);

struct mhi_err *mhi_ctx_err(struct mh_ctx *ctx)
{
	return &ctx->error;
}

bool mhi_ctx_on_loop(struct mh_ctx *ctx)
{
	return false;
}

enum mh_engine_kind mhi_ctx_engine_kind(const struct mh_ctx *ctx)
{
	return ctx->engine;
}

int mh_ctx_create(const struct mh_ctx_config *config, struct mh_ctx **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return MH_ENOMEM;
	(*out)->engine = config ? config->engine : MH_ENGINE_SHIM;
	return 0;
}

int mh_ctx_destroy(struct mh_ctx *ctx)
{
	free(ctx);
	return 0;
}

const char *mh_last_error(struct mh_ctx *ctx)
{
	return ctx->error.text;
}

int mh_vm_set_tsc_khz(struct mh_vm *vm, uint32_t khz)
{
	printf("tsc %u kHz\n", khz);
	return 0;
}

int mh_vm_create(struct mh_ctx *ctx, const struct mh_vm_config *config, struct mh_vm **out)
{
	struct mh_vm *vm;

	if (config->name && !strcmp(config->name, "no-module"))
		return mhi_err_set(&ctx->error, MH_ENODEV, "the module is not loaded");
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return MH_ENOMEM;
	vm->ctx = ctx;
	vm->events_fd = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->changed, NULL);
	printf("memory %llu cpus %u flags %u\n", (unsigned long long)config->memory_bytes,
	       config->cpus, config->flags);
	fflush(stdout);
	*out = vm;
	return 0;
}

int mh_vm_boot(struct mh_vm *vm, const struct mh_boot_config *config)
{
	if (config->firmware)
		printf("firmware %s\n", config->firmware);
	else
		printf("kernel %s initrd %s cmdline %s\n", config->kernel,
		       config->initrd ? config->initrd : "-", config->cmdline);
	fflush(stdout);
	return 0;
}

/* ---- events ---- */

/* Under lock. */
static void set_state(struct mh_vm *vm, enum mh_vm_state state)
{
	static const char *const names[] = { "created", "running", "paused", "stopped" };
	struct mh_event *event = &vm->events[vm->told % EVENTS];
	uint64_t one = 1;

	vm->state = state;
	*event = (struct mh_event)MH_EVENT_INIT;
	event->kind = MH_EVENT_STATE;
	event->state = state;
	event->reason = vm->reason;
	event->number = ++vm->told;
	snprintf(event->text, sizeof(event->text), "the VM is %s", names[state]);
	pthread_cond_broadcast(&vm->changed);
	if (write(vm->events_fd, &one, sizeof(one)) < 0)
		abort();
}

int mh_vm_events_fd(struct mh_vm *vm)
{
	return vm->events_fd;
}

int mh_vm_event_read(struct mh_vm *vm, struct mh_event *out)
{
	int rc = MH_ENOENT;
	uint64_t count;

	pthread_mutex_lock(&vm->lock);
	if (vm->taken < vm->told) {
		*out = vm->events[vm->taken++ % EVENTS];
		rc = 0;
		if (vm->taken == vm->told && read(vm->events_fd, &count, sizeof(count)) < 0)
			abort();
	}
	pthread_mutex_unlock(&vm->lock);
	return rc;
}

/* ---- devices ---- */

int mh_disk_attach(struct mh_vm *vm, const struct mh_disk_config *config, struct mh_dev **out)
{
	printf("disk %s format=%s serial=%s flags=%x queues=%u\n", config->path,
	       config->format ? config->format : "-", config->serial ? config->serial : "-",
	       config->flags, config->queues);
	return 0;
}

int mh_console_attach(struct mh_vm *vm, const struct mh_console_config *config, struct mh_dev **out)
{
	vm->print = config->port[0].output;
	vm->print_opaque = config->port[0].opaque;
	*out = (struct mh_dev *)vm;
	return 0;
}

int mh_console_input(struct mh_dev *dev, uint32_t port, const void *data, size_t bytes)
{
	return mh_serial_input((struct mh_vm *)dev, port, data, bytes);
}

int mh_rng_attach(struct mh_vm *vm, const struct mh_rng_config *config, struct mh_dev **out)
{
	printf("rng\n");
	return 0;
}

int mh_net_attach(struct mh_vm *vm, const struct mh_net_config *c, struct mh_dev **out)
{
	printf("net kind %u flags %x name %s queues %u mtu %u mac %02x..%02x pcap %s\n", c->kind,
	       c->flags, c->name ? c->name : "-", c->queues, c->mtu, c->mac[0], c->mac[5],
	       c->pcap ? c->pcap : "-");
	if (c->kind == MH_NET_FD)
		printf("net fd %d %d\n", c->fd[0], c->fd[1]);
	for (uint32_t n = 0; n < c->forwards; n++)
		printf("forward %s %s %u to %s %u\n", c->forward[n].udp ? "udp" : "tcp",
		       c->forward[n].host ? c->forward[n].host : "-", c->forward[n].host_port,
		       c->forward[n].guest ? c->forward[n].guest : "-", c->forward[n].guest_port);
	fflush(stdout);
	return 0;
}

int mh_share_attach(struct mh_vm *vm, const struct mh_share_config *config, struct mh_dev **out)
{
	printf("share %s as %s readonly %u owners %u uid %u gid %u\n", config->path, config->tag,
	       config->readonly, config->owners, config->uid, config->gid);
	if (config->flags & MH_SHARE_VIRTIOFS)
		printf("by virtio-fs\n");
	return 0;
}

int mh_vsock_attach(struct mh_vm *vm, const struct mh_vsock_config *config, struct mh_dev **out)
{
	printf("vsock %llu path %s connections %u\n", (unsigned long long)config->cid,
	       config->path ? config->path : "-", config->connections);
	return 0;
}

int mh_watchdog_attach(struct mh_vm *vm, const struct mh_watchdog_config *config,
		       struct mh_dev **out)
{
	printf("watchdog %u flags %x\n", config->action, config->flags);
	return 0;
}

int mh_input_attach(struct mh_vm *vm, const struct mh_input_config *config, struct mh_dev **out)
{
	printf("input %x flags %u\n", config->kinds, config->flags);
	return 0;
}

int mh_input_key(struct mh_vm *vm, uint32_t code, int down)
{
	printf("key %u %d\n", code, down);
	fflush(stdout);
	return code == 240 ? mhi_err_set(&vm->ctx->error, MH_EBUSY, "key: the guest is busy") : 0;
}

int mh_gpu_attach(struct mh_vm *vm, const struct mh_gpu_config *config, struct mh_dev **out)
{
	printf("display %u x %u vram %llu flags %x\n", config->width, config->height,
	       (unsigned long long)config->vram_bytes, config->flags);
	vm->display = true;
	return 0;
}

int mh_framebuffer_attach(struct mh_vm *vm, const struct mh_framebuffer_config *config,
			  struct mh_dev **out)
{
	printf("framebuffer %u x %u vram %llu flags %x\n", config->width, config->height,
	       (unsigned long long)config->vram_bytes, config->flags);
	vm->display = true;
	return 0;
}

int mh_display_png(struct mh_vm *vm, int fd)
{
	if (!vm->display)
		return mhi_err_set(&vm->ctx->error, MH_ENOENT, "display: it has none");
	return write(fd, "a picture", 9) == 9 ? 0 : MH_EIO;
}

int mh_display_surface(struct mh_vm *vm, struct mh_surface *out)
{
	if (!vm->display)
		return MH_ENOENT;
	*out = (struct mh_surface){ .fd = eventfd(0, EFD_CLOEXEC) };
	return 0;
}

/* It is none; the VM's process is told that half of it is there. */
int mh_sandbox_enter(struct mh_ctx *ctx, const struct mh_sandbox_config *config)
{
	return config->level == MH_SANDBOX_PROCESS ? 0 : MH_EINVAL;
}

int mh_sandbox_namespaces(const struct mh_config *config, uint32_t *out)
{
	*out = 0;
	return 0;
}

int mh_sandbox_info(struct mh_ctx *ctx, struct mh_sandbox_info *info)
{
	info->level = MH_SANDBOX_PROCESS;
	info->active = MH_SANDBOX_SECCOMP;
	info->missing = MH_SANDBOX_LANDLOCK;
	info->reason = "files are not confined: no Landlock";
	return 0;
}

int mh_gdb_listen(struct mh_vm *vm, const char *address, uint32_t flags)
{
	printf("gdb %s flags %u\n", address, flags);
	return 0;
}

int mh_balloon_stats(struct mh_dev *dev, struct mh_balloon_stats *stats)
{
	stats->target_bytes = 1 << 20;
	return 0;
}

int mh_balloon_attach(struct mh_vm *vm, const struct mh_balloon_config *config, struct mh_dev **out)
{
	printf("balloon %llu flags %u\n", (unsigned long long)config->bytes, config->flags);
	*out = (struct mh_dev *)vm;
	return 0;
}

int mh_serial_attach(struct mh_vm *vm, unsigned int port, mh_serial_fn *fn, void *opaque)
{
	vm->print = fn;
	vm->print_opaque = opaque;
	return port ? MH_EINVAL : 0;
}

int mh_serial_input(struct mh_vm *vm, unsigned int port, const void *data, size_t bytes)
{
	size_t room;

	pthread_mutex_lock(&vm->lock);
	room = QUEUE_BYTES - vm->queued;
	if (bytes > room)
		bytes = room;
	memcpy(vm->queue + vm->queued, data, bytes);
	vm->queued += bytes;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	return (int)bytes;
}

int mh_vm_power_button(struct mh_vm *vm)
{
	if (vm->state != MH_VM_RUNNING)
		return mhi_err_set(&vm->ctx->error, MH_ESTATE, "power button: it is not running");
	pthread_mutex_lock(&vm->lock);
	vm->button = true;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	return 0;
}

/* The next character, 0 for the power button, or -1 when the VM is being stopped. */
static int guest_getc(struct mh_vm *vm)
{
	int c = -1;

	pthread_mutex_lock(&vm->lock);
	while ((vm->state == MH_VM_PAUSED || (!vm->queued && !vm->button)) && !vm->stop)
		pthread_cond_wait(&vm->changed, &vm->lock);
	if (vm->button) {
		vm->button = false;
		c = 0;
	} else if (vm->queued && !vm->stop) {
		c = (unsigned char)vm->queue[0];
		memmove(vm->queue, vm->queue + 1, --vm->queued);
	}
	pthread_mutex_unlock(&vm->lock);
	return c;
}

static void guest_print(struct mh_vm *vm, const char *text)
{
	vm->print(vm->print_opaque, text, strlen(text));
}

/* What a line makes the guest do: stop for a reason, or print something. */
static const struct {
	const char *line;
	enum mh_stop_reason reason;
	const char *text;
} orders[] = {
	{ "off", MH_STOP_POWEROFF, "" },
	{ "reset", MH_STOP_RESET, "" },
	{ "triple", MH_STOP_SHUTDOWN, "" },
	{ "error", MH_STOP_ERROR, "" },
	{ "modes", MH_STOP_NONE, "\033[?25l\033[?1049;7h\033[?2004h\033[?2004l\033[31m" },
	{ "prompt", MH_STOP_NONE, "prompt> " },
};

static enum mh_stop_reason obey(struct mh_vm *vm, const char *line)
{
	char answer[8300];
	size_t i;

	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		if (strcmp(line, orders[i].line))
			continue;
		guest_print(vm, orders[i].text);
		return orders[i].reason;
	}
	snprintf(answer, sizeof(answer), "got %s\r\n", line);
	guest_print(vm, answer);
	return MH_STOP_NONE;
}

static void *guest(void *opaque)
{
	enum mh_stop_reason reason = MH_STOP_NONE;
	struct mh_vm *vm = opaque;
	char line[8192];
	bool deaf = false;
	size_t n = 0;
	int c;

	guest_print(vm, "READY\r\n");
	while (!reason && (c = guest_getc(vm)) >= 0) {
		if (!c) {
			guest_print(vm, "BUTTON\r\n");
			if (!deaf)
				reason = MH_STOP_POWEROFF;
			continue;
		}
		if (c != '\r' && c != '\n') {
			if (n < sizeof(line) - 1)
				line[n++] = (char)c;
			continue;
		}
		line[n] = 0;
		n = 0;
		deaf |= !strcmp(line, "deaf");
		reason = obey(vm, line);
	}
	pthread_mutex_lock(&vm->lock);
	vm->reason = reason ? reason : MH_STOP_REQUEST;
	set_state(vm, MH_VM_STOPPED);
	pthread_mutex_unlock(&vm->lock);
	return NULL;
}

int mh_vm_start(struct mh_vm *vm)
{
	if (vm->started)
		pthread_join(vm->thread, NULL);
	pthread_mutex_lock(&vm->lock);
	vm->stop = vm->button = false;
	vm->queued = 0;
	vm->reason = MH_STOP_NONE;
	set_state(vm, MH_VM_RUNNING);
	pthread_mutex_unlock(&vm->lock);
	vm->started = !pthread_create(&vm->thread, NULL, guest, vm);
	return vm->started ? 0 : MH_ENOMEM;
}

static int change(struct mh_vm *vm, enum mh_vm_state from, enum mh_vm_state to)
{
	int rc = 0;

	pthread_mutex_lock(&vm->lock);
	if (vm->state == from)
		set_state(vm, to);
	else
		rc = mhi_err_set(&vm->ctx->error, MH_ESTATE, "the VM is in another state");
	pthread_mutex_unlock(&vm->lock);
	return rc;
}

int mh_vm_pause(struct mh_vm *vm)
{
	return change(vm, MH_VM_RUNNING, MH_VM_PAUSED);
}

int mh_vm_resume(struct mh_vm *vm)
{
	return change(vm, MH_VM_PAUSED, MH_VM_RUNNING);
}

enum mh_vm_state mh_vm_state(struct mh_vm *vm)
{
	enum mh_vm_state state;

	pthread_mutex_lock(&vm->lock);
	state = vm->state;
	pthread_mutex_unlock(&vm->lock);
	return state;
}

int mh_vm_stop(struct mh_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm->stop = true;
	pthread_cond_broadcast(&vm->changed);
	while (vm->started && vm->state != MH_VM_STOPPED)
		pthread_cond_wait(&vm->changed, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
	return 0;
}

int mh_vm_reset(struct mh_vm *vm)
{
	int rc = mh_vm_stop(vm);

	return rc ? rc : mh_vm_start(vm);
}

void mh_vm_destroy(struct mh_vm *vm)
{
	mh_vm_stop(vm);
	if (vm->started)
		pthread_join(vm->thread, NULL);
	close(vm->events_fd);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}

enum mh_stop_reason mh_vm_stop_reason(struct mh_vm *vm)
{
	return vm->reason;
}

const char *mh_vm_stop_text(struct mh_vm *vm)
{
	return "the guest's last words";
}

int mh_vcpu_metrics(struct mh_vm *vm, uint32_t index, struct mh_vm_metrics *out)
{
	out->entries = 12345;
	return 0;
}

static const struct mh_probe_item items[] = {
	{ "svm", "SVM", "CPUID.80000001H:ECX[2]", MH_PROBE_REQUIRED, MH_PROBE_YES, "", "no cure" },
	{ "module", "kernel module", "/sys/module", MH_PROBE_REQUIRED, MH_PROBE_NO, "not loaded",
	  "modprobe macrohard" },
	{ "iommu", "IOMMU", "ACPI", MH_PROBE_OPTIONAL, MH_PROBE_UNKNOWN, "", "be root" },
};

int mh_probe_create(struct mh_ctx *ctx, struct mh_probe **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return MH_ENOMEM;
	(*out)->verdict = getenv("FAKE_PROBE_OK") ? 0 : MH_ENODEV;
	return 0;
}

void mh_probe_free(struct mh_probe *probe)
{
	free(probe);
}

size_t mh_probe_items(const struct mh_probe *probe, const struct mh_probe_item **out)
{
	*out = items;
	return sizeof(items) / sizeof(items[0]);
}

int mh_probe_verdict(const struct mh_probe *probe)
{
	return probe->verdict;
}

const char *mh_probe_json(struct mh_probe *probe)
{
	return "{\"schema\":\"macrohard.probe/1\"}";
}
