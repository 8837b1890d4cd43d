// SPDX-License-Identifier: MIT
/*
 * Fuzzes a session with an agent (libFuzzer): the agent says anything, while the host starts and
 * ends what it can. What is told to the host must be within what the headers promise.
 */
#include <string.h>

#include "fake_agent.h"
#include "fuzz.h"

#define PAYLOAD_MOST 400
#define TRANSFERS 4

static const u8 types[] = {
#define NUMBER(NAME, name, number) number,
	MHI_AGENT_MESSAGES(NUMBER)
};

static struct fuzz_input in;
static u32 serial; /* the last one that the host used */
static uint64_t ids[TRANSFERS];
static struct mh_clip_request *asked[64];
static u32 asked_count;
static u32 icons; /* so that their pixels are looked at */
static u32 due;	  /* callbacks that must come */

/* ---- what the host is told ---- */

static bool is_rect(const struct mh_rect *r)
{
	return r->x >= -32768 && r->x < 32768 && r->y >= -32768 && r->y < 32768 &&
	       r->width <= 16384 && r->height <= 16384;
}

static void on_window(void *opaque, const struct mh_window *w)
{
	if (!w->id || !is_rect(&w->rect) || strlen(w->title) > 1023 ||
	    strlen(w->application) > 1023 || (w->max_width && w->max_width < w->min_width) ||
	    w->min_height > 16384 || w->parent == w->id)
		fuzz_die("window", "out of range");
}

static void on_gone(void *opaque, uint64_t id)
{
	/* Whoever shows windows may do things to them from here. */
	mhi_windows_act(fake_agent.session, id, MH_WINDOW_CLOSE);
}

static void on_stack(void *opaque, const uint64_t *list, uint32_t count)
{
	if (count > 1024)
		fuzz_die("stack", "too many");
	for (u32 n = 0; n < count; n++)
		if (mhi_windows_act(fake_agent.session, list[n], MH_WINDOW_RAISE) == MH_ENOENT)
			fuzz_die("stack", "a window that is not there");
}

static void on_icon(void *opaque, uint64_t id, uint32_t width, uint32_t height,
		    const uint32_t *pixels)
{
	u32 sum = 0;

	if (!width || !height || width > 96 || height > 96)
		fuzz_die("icon", "out of range");
	for (u32 n = 0; n < width * height; n++)
		sum += pixels[n];
	icons += sum;
}

static void on_shape(void *opaque, uint64_t id, const struct mh_rect *rects, uint32_t count)
{
	if (count > 1024)
		fuzz_die("shape", "too many");
	for (u32 n = 0; n < count; n++)
		if (!is_rect(&rects[n]))
			fuzz_die("shape", "out of range");
}

static void on_damage(void *opaque, uint64_t id, const struct mh_rect *rect)
{
	if (!is_rect(rect))
		fuzz_die("damage", "out of range");
}

static void on_pointer(void *opaque, enum mh_pointer_shape shape)
{
	if (shape > MH_POINTER_NO)
		fuzz_die("pointer", "out of range");
}

static void on_lost(void *opaque)
{
	mhi_windows_stop(fake_agent.session);
}

static void on_offered(void *opaque, enum mh_clip_selection selection, uint32_t kinds)
{
	if (selection > MH_CLIP_PRIMARY || (kinds & ~(MH_CLIP_TEXT | MH_CLIP_HTML | MH_CLIP_PNG)))
		fuzz_die("offer", "what the policy forbids");
}

static void on_wanted(void *opaque, enum mh_clip_selection selection, uint32_t kind,
		      struct mh_clip_request *request)
{
	if (asked_count == 64)
		fuzz_die("questions", "too many");
	asked[asked_count++] = request;
}

static void on_content(void *opaque, int rc, const void *data, size_t bytes)
{
	due--;
	if (!rc && bytes > 16u << 20)
		fuzz_die("content", "too large");
}

static void on_info(void *opaque, int rc, const struct mh_agent_info *info)
{
	due--;
	if (!rc && (info->addresses > MH_AGENT_ADDRESSES_MAX || info->users > MH_AGENT_USERS_MAX ||
		    strlen(info->os_name) > 1023))
		fuzz_die("info", "out of range");
}

static void on_done(void *opaque, int rc, const char *text)
{
	due--;
}

static void on_output(void *opaque, uint32_t stream, const void *data, size_t bytes)
{
	if (stream > 2 || !bytes)
		fuzz_die("output", "out of range");
	if (fuzz_take(&in, 1) == 7)
		mhi_agent_hold(fake_agent.session, ids[stream], true);
}

static void on_room(void *opaque, size_t bytes)
{
	static const u8 zeroes[1000];

	if (!bytes)
		fuzz_die("room", "none");
	mhi_agent_write(fake_agent.session, ids[fuzz_take(&in, 1) % TRANSFERS], zeroes, 1000);
}

static void on_end(void *opaque, int rc, const struct mh_agent_end *end)
{
	due--;
}

/* ---- what the host does ---- */

static void begin_transfer(unsigned int n)
{
	static const struct mh_agent_transfer_ops ops = { 1, on_output, on_room, NULL, on_end };
	const struct mhi_msg_exec exec = { 7, "", "", 1, { (const u8 *)"a", 2 }, 0 };
	const struct mhi_msg_file_put put = { "/f", 0644, n & 4 ? 5000 : ~0ull, 0 };
	const struct mhi_msg_file_get get = { "/f", 0 };
	static const u32 kinds[] = { MHI_MSG_EXEC, MHI_MSG_FILE_PUT, MHI_MSG_FILE_GET };
	const void *const msgs[] = { &exec, &put, &get };
	const struct mhi_agent_transfer t = { kinds[n % 3], msgs[n % 3], &ops, NULL,
					      &ids[n % TRANSFERS] };

	due += !mhi_agent_transfer(fake_agent.session, &t);
}

static void use_transfer(u8 how)
{
	static const u8 zeroes[200000];
	uint64_t id = ids[how % TRANSFERS];

	switch (how >> 2 & 7) {
	case 0:
		mhi_agent_write(fake_agent.session, id, zeroes, (size_t)how * 700 + 1);
		break;
	case 1:
		mhi_agent_write(fake_agent.session, id, NULL, 0);
		break;
	case 2:
		mhi_agent_hold(fake_agent.session, id, how & 64);
		break;
	case 3:
		mhi_agent_kill(fake_agent.session, id, 9);
		break;
	case 4:
		due -= !mhi_agent_cancel(fake_agent.session, id);
		break;
	default:
		begin_transfer(how);
	}
}

static void use_clipboard(u8 how)
{
	static const struct mh_clipboard_ops ops = { 1, on_offered, on_wanted };
	const struct mh_clip_policy policy = MH_CLIP_POLICY_INIT;
	static const u8 zeroes[300000];

	switch (how & 7) {
	case 0:
		mhi_clip_start(fake_agent.session, &policy, &ops, NULL);
		break;
	case 1:
		mhi_clip_stop(fake_agent.session);
		break;
	case 2:
		mhi_clip_offer(fake_agent.session, how >> 3 & 1, how >> 4);
		break;
	case 3:
	case 4:
		due += !mhi_clip_get(fake_agent.session, how >> 3 & 1, 1u << (how >> 4 & 3),
				     on_content, NULL);
		break;
	case 5:
		if (asked_count)
			mhi_clip_refuse(asked[--asked_count]);
		break;
	default:
		if (asked_count)
			mhi_clip_answer(asked[--asked_count], zeroes, (size_t)how * 1100);
	}
}

static void use_windows(u8 how)
{
	static const struct mh_seamless_ops ops = { 1,	       on_window,  on_gone,
						    on_stack,  on_icon,	   on_shape,
						    on_damage, on_pointer, on_lost };
	const struct mh_rect rect = { 1, 2, 3, 4 };

	switch (how & 3) {
	case 0:
		mhi_windows_start(fake_agent.session, &ops, NULL);
		break;
	case 1:
		mhi_windows_stop(fake_agent.session);
		break;
	case 2:
		mhi_windows_configure(fake_agent.session, how >> 2, &rect);
		break;
	default:
		mhi_windows_work_area(fake_agent.session, &rect, how);
	}
}

static void ask(u8 how)
{
	const struct mhi_msg_shutdown msg = { 0 };
	const struct mhi_agent_plain plain = { MHI_AGENT_F_POWER, MHI_MSG_SHUTDOWN, &msg, on_done,
					       NULL };

	if (how & 1)
		due += !mhi_agent_info(fake_agent.session, on_info, NULL);
	else
		due += !mhi_agent_ask_plain(fake_agent.session, &plain);
}

/* ---- what the agent does ---- */

/* A frame whose header is right; its payload may be. */
static void say_something(u8 how)
{
	u8 frame[MHI_AGENT_HEADER + PAYLOAD_MOST] = "MHA1";
	u32 bytes = (u32)fuzz_take(&in, 1), to = serial;

	if (bytes > 200)
		bytes = PAYLOAD_MOST;
	if (how & 1)
		to = MHI_AGENT_SERIAL_GUEST | (u32)fuzz_take(&in, 1);
	else if (how & 2)
		to -= (u32)fuzz_take(&in, 1) & 7;
	frame[4] = types[fuzz_take(&in, 1) % sizeof(types)];
	for (unsigned int n = 0; n < 4; n++) {
		frame[8 + n] = (u8)(to >> 8 * n);
		frame[12 + n] = (u8)(bytes >> 8 * n);
	}
	fuzz_fill(&in, frame + MHI_AGENT_HEADER, bytes);
	mhi_agent_receive(fake_agent.session, frame, MHI_AGENT_HEADER + bytes);
}

/* What a well-behaved one would say. */
static void say_sense(u8 how)
{
	const struct mhi_msg_window window = { how >> 3, how >> 5, how, 1, 2,	3,   4,
					       0,	 0,	   0,	0, "t", "a", 0 };
	const struct mhi_msg_info info = { "h", "o", "v", "k", 1, 0 };
	const struct mhi_msg_file_is is = { 0644, 5, 0 };
	const struct mhi_msg_clip_size size = { how, 0 };
	const struct mhi_msg_credit credit = { how * 100u, 0 };
	u8 data[200] = "";

	switch (how & 7) {
	case 0:
		fake_agent_hello(how >> 6, how & 8 ? MH_AGENT_ALL : (u32)fuzz_take(&in, 2));
		break;
	case 1:
		fake_agent_say_result(serial, how >> 4, "x");
		break;
	case 2:
		fake_agent_say(MHI_MSG_WINDOW, 0, &window);
		break;
	case 3:
		fake_agent_say(MHI_MSG_INFO, serial, &info);
		break;
	case 4:
		fake_agent_say(MHI_MSG_FILE_IS, serial, &is);
		break;
	case 5:
		fake_agent_say(MHI_MSG_CLIP_SIZE, serial, &size);
		break;
	case 6:
		fake_agent_say_data(serial, how >> 3 & 3, data, how >> 5 ? how % 200 : 0);
		break;
	default:
		fake_agent_say(MHI_MSG_CREDIT, serial, &credit);
	}
}

static void step(void)
{
	struct mhi_agent_msg msg;
	u8 what = (u8)fuzz_take(&in, 1), how = (u8)fuzz_take(&in, 1);

	switch (what & 15) {
	case 0:
		mhi_agent_receive(fake_agent.session, &how, 1);
		break;
	case 1:
		mhi_agent_tick(fake_agent.session);
		break;
	case 2:
		fake_agent.room = how & 1 ? SIZE_MAX : (size_t)how * 500;
		mhi_agent_room(fake_agent.session);
		break;
	case 3:
		if (how == 5)
			mhi_agent_cut(fake_agent.session, "fuzz");
		break;
	case 4:
	case 5:
		use_transfer(how);
		break;
	case 6:
		use_clipboard(how);
		break;
	case 7:
		use_windows(how);
		break;
	case 8:
		ask(how);
		break;
	case 9:
	case 10:
	case 11:
		say_sense(how);
		break;
	default:
		say_something(how);
	}
	while (fake_agent_hear(&msg))
		if (msg.serial && !(msg.serial & MHI_AGENT_SERIAL_GUEST))
			serial = msg.serial;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	in = (struct fuzz_input){ data, data + size };
	serial = 1;
	asked_count = due = 0;
	memset(ids, 0, sizeof(ids));
	fake_agent_begin(MH_AGENT_ALL);
	fake_agent_hello(1, MH_AGENT_ALL);
	while (fuzz_more(&in))
		step();
	fake_agent_end();
	while (asked_count)
		mhi_clip_refuse(asked[--asked_count]);
	if (due)
		fuzz_die("callbacks", "some did not come, or too many");
	return 0;
}
