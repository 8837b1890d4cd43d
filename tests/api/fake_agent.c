// SPDX-License-Identifier: MIT
/*
 * The agent of the fake library: a program's output is its arguments and what it reads, its exit
 * status the number of arguments; every file but /none holds "hello".
 */
#include <macrohard/macrohard.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct mh_agent {
	bool attached;
	struct mh_agent_transfer_ops ops; /* of the transfer that goes on */
	void *opaque;
	uint64_t id; /* of the last one */
	int status;
	bool refused; /* the end of the input, once */
};

static struct mh_agent agent;

int mh_agent_attach(struct mh_vm *vm, const struct mh_agent_config *config, struct mh_agent **out)
{
	const struct mh_clip_policy *clip = config->clipboard;

	printf("agent %u flags %x mount %s clipboard %x %x %llu\n", config->transport,
	       config->flags, config->mount ? config->mount : "-", clip->directions, clip->kinds,
	       (unsigned long long)clip->bytes);
	agent.attached = true;
	return 0;
}

struct mh_agent *mh_vm_agent(struct mh_vm *vm)
{
	return agent.attached ? &agent : NULL;
}

static void begin(const struct mh_agent_transfer_ops *ops, void *opaque, uint64_t *id)
{
	agent.ops = *ops;
	agent.opaque = opaque;
	agent.status = 0;
	*id = ++agent.id;
}

static int end(int rc)
{
	const struct mh_agent_end is = { sizeof(is), rc ? "fake: no\033]0;x\a\302\233\303\233" : "",
					 agent.status, 0 };

	agent.ops.done(agent.opaque, rc, &is);
	return 0;
}

static void say(const char *text)
{
	agent.ops.output(agent.opaque, 1, text, strlen(text));
}

int mh_agent_exec(struct mh_agent *a, const struct mh_agent_exec_config *config,
		  const struct mh_agent_transfer_ops *ops, void *opaque, uint64_t *id)
{
	begin(ops, opaque, id);
	if (!strcmp(config->argv[0], "none"))
		return end(MH_ENOENT);
	for (; config->argv[agent.status]; agent.status++) {
		say(config->argv[agent.status]);
		say("\n");
	}
	if (config->env[0])
		say(config->env[0]);
	return config->flags & MH_AGENT_EXEC_INPUT ? 0 : end(0);
}

int mh_agent_put(struct mh_agent *a, const struct mh_agent_file *file,
		 const struct mh_agent_transfer_ops *ops, void *opaque, uint64_t *id)
{
	begin(ops, opaque, id);
	printf("put %s mode %o bytes %lld\n", file->path, file->mode, (long long)file->bytes);
	fflush(stdout);
	return 0;
}

int mh_agent_get(struct mh_agent *a, const char *path, const struct mh_agent_transfer_ops *ops,
		 void *opaque, uint64_t *id)
{
	begin(ops, opaque, id);
	if (!strcmp(path, "/none"))
		return end(MH_ENOENT);
	agent.ops.file(agent.opaque, 0640, 5);
	agent.ops.output(agent.opaque, 0, "hello", 5);
	return end(0);
}

int mh_agent_write(struct mh_agent *a, uint64_t id, const void *data, size_t bytes)
{
	/* Not all at once. */
	size_t taken = bytes > 3 ? 3 : bytes;

	if (!bytes && !agent.refused) {
		agent.refused = true;
		return MH_EBUSY;
	}
	if (!bytes)
		return end(0);
	agent.ops.output(agent.opaque, 1, data, taken);
	if (taken < bytes)
		agent.ops.room(agent.opaque, 1);
	return (int)taken;
}

int mh_agent_hold(struct mh_agent *a, uint64_t id, uint32_t held)
{
	return 0;
}

int mh_agent_cancel(struct mh_agent *a, uint64_t id)
{
	return MH_ENOENT;
}

int mh_agent_status(struct mh_agent *a, struct mh_agent_status *status)
{
	status->connected = 1;
	snprintf(status->system, sizeof(status->system), "linux");
	snprintf(status->agent, sizeof(status->agent), "fake 1");
	return 0;
}

int mh_agent_info(struct mh_agent *a, mh_agent_info_fn *fn, void *opaque)
{
	static const struct mh_agent_address address = { "eth0", "02:00:00:00:00:01", "10.0.2.15",
							 24 };
	static const struct mh_agent_user user = { "root", "tty1", 99 };
	const struct mh_agent_info info = {
		sizeof(info), "guest", "Evil\033[2J\302\2332J", "12", "6.1", 5000, 1, 1,
		&address,     &user
	};

	fn(opaque, 0, &info);
	return 0;
}

int mh_agent_shutdown(struct mh_agent *a, uint32_t how, mh_agent_done_fn *fn, void *opaque)
{
	printf("agent shuts down\n");
	fflush(stdout);
	/* It fails: the button is what is left. */
	fn(opaque, MH_EIO, "");
	return 0;
}
