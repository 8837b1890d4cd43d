/* SPDX-License-Identifier: MIT */
/* Input for the guest: which of the VM's devices an event goes to. */
#include "macrohard/input.h"

#include "api/impl.h"

#define KEY_LAST MHI_INPUT_KEY_LAST
/* evdev's BTN_LEFT to BTN_EXTRA. */
#define BUTTON_FIRST 0x110u
#define BUTTON_LAST 0x114u

#define UNUSED                                                                                    \
	"the guest uses no device for it; attach one (mh_input_attach), or wait until the guest " \
	"has found it"

static int fail(struct mh_vm *vm, int rc, const char *what)
{
	struct mhi_err *err = mhi_ctx_err(vm->ctx);

	if (rc == MH_ESTATE)
		mhi_err_set(err, rc, "input of VM \"%s\": %s: %s", vm->name, what,
			    mhi_vm_go(vm) ? UNUSED : "the VM is not running; start or resume it");
	else if (rc == MH_EBUSY)
		mhi_err_set(err, rc,
			    "input of VM \"%s\": %s: the guest does not take its events; try again "
			    "later",
			    vm->name, what);
	return rc;
}

static int invalid(struct mh_vm *vm, const char *what, u32 value, u32 least, u32 most)
{
	return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
			   "input of VM \"%s\": %s is %u; choose one from %u to %u", vm->name, what,
			   value, least, most);
}

/* ---- keys ---- */

static int press(struct mh_vm *vm, u32 code)
{
	struct mhi_vdev *keyboard = vm->inputs.vdev[MHI_INPUT_KEYBOARD];
	int rc = MH_ESTATE;

	if (!mhi_vm_go(vm))
		return rc;
	if (keyboard)
		rc = mhi_input_key(keyboard, code, true);
	if (rc == MH_ESTATE && vm->inputs.ps2)
		rc = mhi_machine_ps2_key(vm->machine, code, true);
	return rc;
}

/* Every device lets go what it has down: the driver may have come meanwhile. */
static int release(struct mh_vm *vm, u32 code)
{
	struct mhi_vdev *keyboard = vm->inputs.vdev[MHI_INPUT_KEYBOARD];

	if (keyboard)
		mhi_input_key(keyboard, code, false);
	if (vm->inputs.ps2)
		mhi_machine_ps2_key(vm->machine, code, false);
	return keyboard || vm->inputs.ps2 ? 0 : MH_ESTATE;
}

int mh_input_key(struct mh_vm *vm, uint32_t code, int down)
{
	int rc;

	if (!vm)
		return MH_EINVAL;
	if (!code || code > KEY_LAST)
		return invalid(vm, "the key's code", code, 1, KEY_LAST);
	pthread_mutex_lock(&vm->inputs.lock);
	rc = down ? press(vm, code) : release(vm, code);
	pthread_mutex_unlock(&vm->inputs.lock);
	return fail(vm, rc, "key");
}

int mh_input_leds(struct mh_vm *vm, uint32_t *leds)
{
	struct mhi_vdev *keyboard;
	int rc = 0;

	if (!vm)
		return MH_EINVAL;
	if (!leds)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "input of VM \"%s\": leds is NULL; pass where they go",
				   vm->name);
	pthread_mutex_lock(&vm->inputs.lock);
	keyboard = vm->inputs.vdev[MHI_INPUT_KEYBOARD];
	if (keyboard && (!vm->inputs.ps2 || mhi_input_ready(keyboard)))
		*leds = mhi_input_leds(keyboard);
	else if (vm->inputs.ps2)
		*leds = mhi_machine_ps2_leds(vm->machine);
	else
		rc = MH_ESTATE;
	pthread_mutex_unlock(&vm->inputs.lock);
	return fail(vm, rc, "lights");
}

/* ---- pointers ---- */

/* What may be done with a pointer. */
struct act {
	enum { MOVE, BUTTON, WHEEL } what;
	s32 x, y; /* MOVE; WHEEL: horizontal, vertical */
	u32 code; /* BUTTON: pressed */
};

static int act_virtio(struct mhi_vdev *dev, const struct act *act)
{
	if (!dev)
		return MH_ESTATE;
	switch (act->what) {
	case MOVE:
		return mhi_input_motion(dev, act->x, act->y);
	case BUTTON:
		return mhi_input_key(dev, act->code, true);
	case WHEEL:
		return mhi_input_wheel(dev, act->y, act->x);
	}
	return MH_ESTATE;
}

static s32 negative(s32 value)
{
	return value == INT32_MIN ? INT32_MAX : -value;
}

static int act_ps2(struct mh_vm *vm, const struct act *act)
{
	if (!vm->inputs.ps2)
		return MH_ESTATE;
	switch (act->what) {
	case MOVE:
		return mhi_machine_ps2_move(vm->machine, act->x, negative(act->y), 0);
	case BUTTON:
		return mhi_machine_ps2_button(vm->machine, act->code - BUTTON_FIRST, true);
	case WHEEL:
		return mhi_machine_ps2_move(vm->machine, 0, 0, negative(act->y));
	}
	return MH_ESTATE;
}

static int act_mouse(struct mh_vm *vm, const struct act *act)
{
	int rc = act_virtio(vm->inputs.vdev[MHI_INPUT_MOUSE], act);

	return rc == MH_ESTATE ? act_ps2(vm, act) : rc;
}

/* With the pointer that was used last, or else the other one. */
static int act_last(struct mh_vm *vm, const struct act *act)
{
	struct mhi_vdev *tablet = vm->inputs.vdev[MHI_INPUT_TABLET];
	int rc;

	if (!mhi_vm_go(vm))
		return MH_ESTATE;
	rc = vm->inputs.moved ? act_mouse(vm, act) : act_virtio(tablet, act);
	if (rc != MH_ESTATE)
		return rc;
	return vm->inputs.moved ? act_virtio(tablet, act) : act_mouse(vm, act);
}

static int move(struct mh_vm *vm, s32 dx, s32 dy)
{
	const struct act act = { MOVE, dx, dy, 0 };
	int rc = mhi_vm_go(vm) ? act_mouse(vm, &act) : MH_ESTATE;

	if (!rc)
		vm->inputs.moved = true;
	return rc;
}

int mh_input_motion(struct mh_vm *vm, int32_t dx, int32_t dy)
{
	int rc;

	if (!vm)
		return MH_EINVAL;
	pthread_mutex_lock(&vm->inputs.lock);
	vm->inputs.placed = false;
	rc = move(vm, dx, dy);
	pthread_mutex_unlock(&vm->inputs.lock);
	return fail(vm, rc, "motion");
}

static int release_button(struct mh_vm *vm, u32 code)
{
	struct mhi_vdev *tablet = vm->inputs.vdev[MHI_INPUT_TABLET];
	struct mhi_vdev *mouse = vm->inputs.vdev[MHI_INPUT_MOUSE];

	if (tablet)
		mhi_input_key(tablet, code, false);
	if (mouse)
		mhi_input_key(mouse, code, false);
	if (vm->inputs.ps2)
		mhi_machine_ps2_button(vm->machine, code - BUTTON_FIRST, false);
	return tablet || mouse || vm->inputs.ps2 ? 0 : MH_ESTATE;
}

int mh_input_button(struct mh_vm *vm, uint32_t code, int down)
{
	const struct act act = { BUTTON, 0, 0, code };
	int rc;

	if (!vm)
		return MH_EINVAL;
	if (code < BUTTON_FIRST || code > BUTTON_LAST)
		return invalid(vm, "the button's code", code, BUTTON_FIRST, BUTTON_LAST);
	pthread_mutex_lock(&vm->inputs.lock);
	rc = down ? act_last(vm, &act) : release_button(vm, code);
	pthread_mutex_unlock(&vm->inputs.lock);
	return fail(vm, rc, "button");
}

int mh_input_wheel(struct mh_vm *vm, int32_t vertical, int32_t horizontal)
{
	const struct act act = { WHEEL, horizontal, vertical, 0 };
	int rc;

	if (!vm)
		return MH_EINVAL;
	pthread_mutex_lock(&vm->inputs.lock);
	rc = act_last(vm, &act);
	pthread_mutex_unlock(&vm->inputs.lock);
	return fail(vm, rc, "wheel");
}

/* ---- positions ---- */

static int check_position(struct mh_vm *vm, s32 x, s32 y, u32 width, u32 height)
{
	if (x >= 0 && y >= 0 && (u32)x < width && (u32)y < height)
		return 0;
	return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
			   "input of VM \"%s\": position %d,%d is not in an area of %u by %u; give "
			   "one that is",
			   vm->name, x, y, width, height);
}

/* The last pixel is the end of the axis. */
static u32 scale(s32 at, u32 size)
{
	u64 last = size - 1;

	return last ? (u32)(((u64)at * MHI_INPUT_AXIS_LAST + last / 2) / last) : 0;
}

/* A mouse goes as far as the position has. */
static int follow(struct mh_vm *vm, s32 x, s32 y)
{
	struct mhi_inputs *in = &vm->inputs;
	int rc = move(vm, in->placed ? x - in->x : 0, in->placed ? y - in->y : 0);

	in->placed = !rc;
	in->x = x;
	in->y = y;
	return rc;
}

static int place(struct mh_vm *vm, s32 x, s32 y, u32 width, u32 height)
{
	struct mhi_vdev *tablet = vm->inputs.vdev[MHI_INPUT_TABLET];
	int rc = MH_ESTATE;

	if (!mhi_vm_go(vm))
		return rc;
	if (tablet)
		rc = mhi_input_position(tablet, scale(x, width), scale(y, height));
	if (rc == MH_ESTATE)
		return follow(vm, x, y);
	vm->inputs.moved = vm->inputs.placed = false;
	return rc;
}

int mh_input_pointer(struct mh_vm *vm, int32_t x, int32_t y, uint32_t width, uint32_t height)
{
	int rc;

	if (!vm)
		return MH_EINVAL;
	rc = check_position(vm, x, y, width, height);
	if (rc)
		return rc;
	pthread_mutex_lock(&vm->inputs.lock);
	rc = place(vm, x, y, width, height);
	pthread_mutex_unlock(&vm->inputs.lock);
	return fail(vm, rc, "pointer");
}

int mh_input_touch(struct mh_vm *vm, uint32_t slot, int32_t x, int32_t y, uint32_t width,
		   uint32_t height)
{
	struct mhi_vdev *touch;
	int rc;

	if (!vm)
		return MH_EINVAL;
	if (slot >= MH_INPUT_SLOTS)
		return invalid(vm, "the finger's slot", slot, 0, MH_INPUT_SLOTS - 1);
	rc = check_position(vm, x, y, width, height);
	if (rc)
		return rc;
	pthread_mutex_lock(&vm->inputs.lock);
	touch = vm->inputs.vdev[MHI_INPUT_TOUCH];
	rc = touch ? mhi_input_touch(touch, slot, true, scale(x, width), scale(y, height))
		   : MH_ESTATE;
	pthread_mutex_unlock(&vm->inputs.lock);
	return fail(vm, rc, "touch");
}

int mh_input_lift(struct mh_vm *vm, uint32_t slot)
{
	struct mhi_vdev *touch;

	if (!vm)
		return MH_EINVAL;
	if (slot >= MH_INPUT_SLOTS)
		return invalid(vm, "the finger's slot", slot, 0, MH_INPUT_SLOTS - 1);
	pthread_mutex_lock(&vm->inputs.lock);
	touch = vm->inputs.vdev[MHI_INPUT_TOUCH];
	if (touch)
		mhi_input_touch(touch, slot, false, 0, 0);
	pthread_mutex_unlock(&vm->inputs.lock);
	return fail(vm, touch ? 0 : MH_ESTATE, "touch");
}
