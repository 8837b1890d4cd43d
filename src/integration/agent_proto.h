/* SPDX-License-Identifier: MIT */
/*
 * What the host and the agent in a guest say to each other: one table of messages, from which the
 * structures, the encoder and the decoder are made. It is compiled into the library and into the
 * agents, and knows nothing but the C library. docs/agent-protocol.md says who sends what, when.
 *
 * A frame is a header of 16 bytes and a payload of at most MHI_AGENT_PAYLOAD; all numbers are
 * little-endian:
 *   u32 magic, u16 type, u16 0, u32 serial, u32 bytes of the payload
 * Its serial connects a request with all that belongs to it: the one who asks chooses it, and
 * answers, data and credit for it repeat it. The host's have MHI_AGENT_SERIAL_GUEST clear, the
 * agent's have it set. 0: it belongs to no request. HELLO's is any number that tells this start of
 * the agent from others; WELCOME repeats it.
 */
#ifndef MHI_INTEGRATION_AGENT_PROTO_H
#define MHI_INTEGRATION_AGENT_PROTO_H

#include <stddef.h>
#include <stdint.h>

#define MHI_AGENT_VERSION 1u
#define MHI_AGENT_MAGIC 0x3141484du /* "MHA1" */
#define MHI_AGENT_HEADER 16u
#define MHI_AGENT_PAYLOAD 65536u
#define MHI_AGENT_FRAME (MHI_AGENT_HEADER + MHI_AGENT_PAYLOAD)
#define MHI_AGENT_SERIAL_GUEST 0x80000000u

/*
 * Fields: U (u32), I (i32), L (u64), S (text: UTF-8 without zero bytes; on the wire u32 bytes with
 * the final zero, then those), R (the rest of the payload: only as the last field).
 */
#define MHI_AGENT_HELLO(U, I, L, S, R) U(version) U(features) S(system) S(agent)
#define MHI_AGENT_WELCOME(U, I, L, S, R) U(version) U(features)
#define MHI_AGENT_PING(U, I, L, S, R) L(cookie)
#define MHI_AGENT_PONG(U, I, L, S, R) L(cookie)
#define MHI_AGENT_RESULT(U, I, L, S, R) U(code) S(text)
#define MHI_AGENT_DATA(U, I, L, S, R) U(stream) R(data)
#define MHI_AGENT_CREDIT(U, I, L, S, R) U(bytes)
#define MHI_AGENT_CANCEL(U, I, L, S, R)

#define MHI_AGENT_GET_INFO(U, I, L, S, R)
#define MHI_AGENT_INFO(U, I, L, S, R) S(host_name) S(os_name) S(os_version) S(kernel) L(uptime_ms)
#define MHI_AGENT_INFO_ADDRESS(U, I, L, S, R) S(interface) S(mac) S(address) U(prefix)
#define MHI_AGENT_INFO_USER(U, I, L, S, R) S(name) S(terminal) L(since)
#define MHI_AGENT_SHUTDOWN(U, I, L, S, R) U(mode)
#define MHI_AGENT_SET_TIME(U, I, L, S, R) L(unix_ns)

#define MHI_AGENT_EXEC(U, I, L, S, R) U(flags) S(directory) S(user) U(arguments) R(strings)
#define MHI_AGENT_EXEC_KILL(U, I, L, S, R) U(signal)
#define MHI_AGENT_EXEC_EXIT(U, I, L, S, R) I(status) U(signal)
#define MHI_AGENT_FILE_PUT(U, I, L, S, R) S(path) U(mode) L(bytes)
#define MHI_AGENT_FILE_GET(U, I, L, S, R) S(path)
#define MHI_AGENT_FILE_IS(U, I, L, S, R) U(mode) L(bytes)
#define MHI_AGENT_MOUNT(U, I, L, S, R) S(tag) S(path) U(flags)
#define MHI_AGENT_UNMOUNT(U, I, L, S, R) S(tag) S(path)

#define MHI_AGENT_CLIP_OFFER(U, I, L, S, R) U(selection) U(offer) U(types)
#define MHI_AGENT_CLIP_REQUEST(U, I, L, S, R) U(selection) U(offer) U(kind)
#define MHI_AGENT_CLIP_SIZE(U, I, L, S, R) L(bytes)

#define MHI_AGENT_SEAMLESS(U, I, L, S, R) U(on)
#define MHI_AGENT_RESIZE(U, I, L, S, R) U(width) U(height)
#define MHI_AGENT_WORK_AREA(U, I, L, S, R) I(x) I(y) U(width) U(height) U(scale)
#define MHI_AGENT_PLACE(U, I) I(x) I(y) U(width) U(height)
#define MHI_AGENT_LIMITS(U) U(min_width) U(min_height) U(max_width) U(max_height)
#define MHI_AGENT_LOOKS(U, I, S) MHI_AGENT_PLACE(U, I) MHI_AGENT_LIMITS(U) S(title) S(application)
#define MHI_AGENT_WINDOW(U, I, L, S, R) L(id) L(parent) U(flags) MHI_AGENT_LOOKS(U, I, S)
#define MHI_AGENT_WINDOW_GONE(U, I, L, S, R) L(id)
#define MHI_AGENT_WINDOW_STACK(U, I, L, S, R) R(ids)
#define MHI_AGENT_WINDOW_ICON(U, I, L, S, R) L(id) U(width) U(height) R(pixels)
#define MHI_AGENT_WINDOW_SHAPE(U, I, L, S, R) L(id) R(rects)
#define MHI_AGENT_WINDOW_DAMAGE(U, I, L, S, R) L(id) MHI_AGENT_PLACE(U, I)
#define MHI_AGENT_POINTER_SHAPE(U, I, L, S, R) U(shape)
#define MHI_AGENT_WINDOW_MOVE(U, I, L, S, R) L(id) MHI_AGENT_PLACE(U, I)
#define MHI_AGENT_WINDOW_ACT(U, I, L, S, R) L(id) U(action)
#define MHI_AGENT_KEY(U, I, L, S, R) U(key) U(down)
#define MHI_AGENT_POINTER(U, I, L, S, R) I(x) I(y)
#define MHI_AGENT_BUTTON(U, I, L, S, R) U(button) U(down)
#define MHI_AGENT_WHEEL(U, I, L, S, R) I(vertical) I(horizontal)

/* M(NAME, name, number): numbers are for ever. */
#define MHI_AGENT_MESSAGES(M)                 \
	M(HELLO, hello, 0x01)                 \
	M(WELCOME, welcome, 0x02)             \
	M(PING, ping, 0x03)                   \
	M(PONG, pong, 0x04)                   \
	M(RESULT, result, 0x05)               \
	M(DATA, data, 0x06)                   \
	M(CREDIT, credit, 0x07)               \
	M(CANCEL, cancel, 0x08)               \
	M(GET_INFO, get_info, 0x10)           \
	M(INFO, info, 0x11)                   \
	M(INFO_ADDRESS, info_address, 0x12)   \
	M(INFO_USER, info_user, 0x13)         \
	M(SHUTDOWN, shutdown, 0x14)           \
	M(SET_TIME, set_time, 0x15)           \
	M(EXEC, exec, 0x20)                   \
	M(EXEC_KILL, exec_kill, 0x21)         \
	M(EXEC_EXIT, exec_exit, 0x22)         \
	M(FILE_PUT, file_put, 0x28)           \
	M(FILE_GET, file_get, 0x29)           \
	M(FILE_IS, file_is, 0x2a)             \
	M(MOUNT, mount, 0x30)                 \
	M(UNMOUNT, unmount, 0x31)             \
	M(CLIP_OFFER, clip_offer, 0x40)       \
	M(CLIP_REQUEST, clip_request, 0x41)   \
	M(CLIP_SIZE, clip_size, 0x42)         \
	M(SEAMLESS, seamless, 0x50)           \
	M(RESIZE, resize, 0x51)               \
	M(WORK_AREA, work_area, 0x52)         \
	M(WINDOW, window, 0x58)               \
	M(WINDOW_GONE, window_gone, 0x59)     \
	M(WINDOW_STACK, window_stack, 0x5a)   \
	M(WINDOW_ICON, window_icon, 0x5b)     \
	M(WINDOW_SHAPE, window_shape, 0x5c)   \
	M(WINDOW_DAMAGE, window_damage, 0x5d) \
	M(POINTER_SHAPE, pointer_shape, 0x5e) \
	M(WINDOW_MOVE, window_move, 0x60)     \
	M(WINDOW_ACT, window_act, 0x61)       \
	M(KEY, key, 0x68)                     \
	M(POINTER, pointer, 0x69)             \
	M(BUTTON, button, 0x6a)               \
	M(WHEEL, wheel, 0x6b)

#define MHI_AGENT_NUMBER(NAME, name, number) MHI_MSG_##NAME = number,
enum mhi_agent_type { MHI_AGENT_MESSAGES(MHI_AGENT_NUMBER) };

/* The rest of a payload; it lies in the frame that was decoded. */
struct mhi_agent_rest {
	const uint8_t *data;
	uint32_t bytes;
};

#define MHI_AGENT_FIELD_U(f) uint32_t f;
#define MHI_AGENT_FIELD_I(f) int32_t f;
#define MHI_AGENT_FIELD_L(f) uint64_t f;
#define MHI_AGENT_FIELD_S(f) const char *f; /* it lies in the frame that was decoded */
#define MHI_AGENT_FIELD_R(f) struct mhi_agent_rest f;
#define MHI_AGENT_STRUCT(NAME, name, number)                                              \
	struct mhi_msg_##name {                                                           \
		MHI_AGENT_##NAME(MHI_AGENT_FIELD_U, MHI_AGENT_FIELD_I, MHI_AGENT_FIELD_L, \
				 MHI_AGENT_FIELD_S, MHI_AGENT_FIELD_R) char end_;         \
	};
MHI_AGENT_MESSAGES(MHI_AGENT_STRUCT)

#define MHI_AGENT_MEMBER(NAME, name, number) struct mhi_msg_##name name;

/* A message that was decoded. */
struct mhi_agent_msg {
	uint32_t type, serial;
	union {
		MHI_AGENT_MESSAGES(MHI_AGENT_MEMBER)
	} u;
};

/* ---- values of fields ---- */

/* HELLO, WELCOME: what the agent can do; of that, what the host wants. */
#define MHI_AGENT_F_INFO (1u << 0)
#define MHI_AGENT_F_POWER (1u << 1)
#define MHI_AGENT_F_TIME (1u << 2)
#define MHI_AGENT_F_EXEC (1u << 3)
#define MHI_AGENT_F_FILES (1u << 4)
#define MHI_AGENT_F_MOUNT (1u << 5)
#define MHI_AGENT_F_CLIPBOARD (1u << 6)
#define MHI_AGENT_F_PRIMARY (1u << 7) /* X11's second selection */
#define MHI_AGENT_F_WINDOWS (1u << 8)
#define MHI_AGENT_F_RESIZE (1u << 9)
#define MHI_AGENT_F_INPUT (1u << 10)

/* RESULT. */
enum mhi_agent_code {
	MHI_AGENT_OK = 0,
	MHI_AGENT_INVALID = 1,	   /* the request makes no sense */
	MHI_AGENT_UNSUPPORTED = 2, /* not here, or not agreed on */
	MHI_AGENT_DENIED = 3,	   /* by a policy or by permissions */
	MHI_AGENT_MISSING = 4,	   /* no such file, window, offer, program */
	MHI_AGENT_BUSY = 5,	   /* too much at a time */
	MHI_AGENT_TOO_LARGE = 6,
	MHI_AGENT_FAILED = 7, /* what text says */
	MHI_AGENT_CANCELLED = 8
};

/* FILE_PUT, FILE_IS: the size is not known before the end. */
#define MHI_AGENT_BYTES_UNKNOWN 0xffffffffffffffffull

/* SHUTDOWN. */
enum mhi_agent_shutdown { MHI_AGENT_OFF = 0, MHI_AGENT_REBOOT = 1 };

/* EXEC: strings are arguments, each with its final zero, then "NAME=VALUE" ones. */
#define MHI_AGENT_EXEC_INPUT (1u << 0)	/* there will be DATA of stream 0, until an empty one */
#define MHI_AGENT_EXEC_OUTPUT (1u << 1) /* send stream 1, else it is dropped */
#define MHI_AGENT_EXEC_ERRORS (1u << 2) /* send stream 2, else it is dropped */

/* MOUNT. */
#define MHI_AGENT_MOUNT_READONLY (1u << 0)
#define MHI_AGENT_MOUNT_VIRTIOFS (1u << 1) /* by virtio-fs, not by 9P */

/* How much DATA of a serial may be sent before the first CREDIT for it. */
#define MHI_AGENT_WINDOW_BYTES 262144u

/* CLIP_*. */
enum mhi_agent_selection { MHI_AGENT_SEL_CLIPBOARD = 0, MHI_AGENT_SEL_PRIMARY = 1 };
#define MHI_AGENT_CLIP_TEXT (1u << 0) /* UTF-8, lines end with \n */
#define MHI_AGENT_CLIP_HTML (1u << 1) /* UTF-8, a document or a fragment of one */
#define MHI_AGENT_CLIP_PNG (1u << 2)
#define MHI_AGENT_CLIP_FILES (1u << 3) /* absolute paths of the sender, each with a \n behind it */

/* WINDOW. */
#define MHI_AGENT_W_VISIBLE (1u << 0)
#define MHI_AGENT_W_MINIMISED (1u << 1)
#define MHI_AGENT_W_MAXIMISED (1u << 2)
#define MHI_AGENT_W_FULLSCREEN (1u << 3)
#define MHI_AGENT_W_POPUP (1u << 4)	/* menu, tooltip: no frame, not in task bars */
#define MHI_AGENT_W_DIALOG (1u << 5)	/* of its parent */
#define MHI_AGENT_W_MODAL (1u << 6)	/* its parent waits for it */
#define MHI_AGENT_W_ATTENTION (1u << 7) /* asks to be looked at */
#define MHI_AGENT_W_ABOVE (1u << 8)	/* stays above others */
#define MHI_AGENT_W_FIXED (1u << 9)	/* has the size that it has */
#define MHI_AGENT_W_NO_TASKBAR (1u << 10)
#define MHI_AGENT_W_ACTIVE (1u << 11)	 /* has the keyboard */
#define MHI_AGENT_W_DECORATED (1u << 12) /* the guest draws a frame, which x .. height include */

/* WINDOW_ACT. */
enum mhi_agent_action {
	MHI_AGENT_ACT_ACTIVATE = 0, /* and raise */
	MHI_AGENT_ACT_DEACTIVATE,
	MHI_AGENT_ACT_RAISE,
	MHI_AGENT_ACT_LOWER,
	MHI_AGENT_ACT_MINIMISE,
	MHI_AGENT_ACT_RESTORE,
	MHI_AGENT_ACT_MAXIMISE,
	MHI_AGENT_ACT_CLOSE,
	MHI_AGENT_ACTIONS
};

/* POINTER_SHAPE. */
enum mhi_agent_pointer {
	MHI_AGENT_PTR_DEFAULT = 0,
	MHI_AGENT_PTR_HIDDEN,
	MHI_AGENT_PTR_TEXT,
	MHI_AGENT_PTR_HAND,
	MHI_AGENT_PTR_WAIT,
	MHI_AGENT_PTR_CROSS,
	MHI_AGENT_PTR_MOVE,
	MHI_AGENT_PTR_NS,
	MHI_AGENT_PTR_EW,
	MHI_AGENT_PTR_NESW,
	MHI_AGENT_PTR_NWSE,
	MHI_AGENT_PTR_NO,
	MHI_AGENT_POINTERS
};

/* Limits that both sides keep, and hold the other one to. */
#define MHI_AGENT_WINDOWS_MAX 1024u
#define MHI_AGENT_TITLE_MAX 1024u  /* bytes of a title or an application, with the final zero */
#define MHI_AGENT_ICON_MAX 96u	   /* pixels: pixels are u32 0xAARRGGBB, by lines */
#define MHI_AGENT_RECTS_MAX 1024u  /* of a shape: four i32 each: x, y, width, height */
#define MHI_AGENT_REQUESTS_MAX 64u /* serials in use at a time, of each side */
#define MHI_AGENT_HELLO_MAX 1024u  /* bytes of HELLO's payload */
#define MHI_AGENT_INFO_MAX 64u	   /* INFO_ADDRESS, and INFO_USER, in an answer */
#define MHI_AGENT_TEXT_MAX 1024u   /* bytes of a text of INFO* or RESULT, with the final zero */

/* Times, in seconds. The host's stand still while the VM is paused. */
#define MHI_AGENT_HELLO_EVERY 1u /* until WELCOME comes, HELLO is repeated */
#define MHI_AGENT_PING_AFTER 10u /* the host hears nothing: it asks */
#define MHI_AGENT_LOST_AFTER 30u /* nothing at all is heard: the other one is lost */
#define MHI_AGENT_FRAME_TIME 30u /* from the first byte of a frame to the last one */

/* ---- encoding and decoding ---- */

/*
 * Write a message of type with the fields of its struct mhi_msg_* as a frame to out [room]. A text
 * that is NULL is an empty one. Returns its bytes; 0: it does not fit, or is not to be sent: an
 * unknown type, a text that is none.
 */
size_t mhi_agent_encode(uint8_t *out, size_t room, uint32_t type, uint32_t serial, const void *msg);

/*
 * Bytes of the frame that begins at data [bytes]; 0: more are needed to tell, or the frame is not
 * complete; -1: no frame begins there.
 */
long mhi_agent_frame(const uint8_t *data, size_t bytes);

/*
 * Decode a whole frame. msg's texts and rests point into it. Returns 0; -1: the message is not as
 * the table has it; 1: it is of a type that is unknown here: skip it.
 */
int mhi_agent_decode(const uint8_t *frame, struct mhi_agent_msg *msg);

/* Is data [bytes] UTF-8 without zero bytes? */
int mhi_agent_is_text(const void *data, size_t bytes);

/* A type's name, for logs; NULL: unknown. */
const char *mhi_agent_name(uint32_t type);

#endif
