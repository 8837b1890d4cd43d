// SPDX-License-Identifier: MIT
/* The display by the public interface: with a card, from several threads, what is refused. */
#include "api_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/impl.h"
#include "core/pci_dev.h"

static struct mh_vm *vm;
static u32 surfaces, cursors;
static struct mh_surface last;

static void on_surface(void *opaque, const struct mh_surface *s)
{
	last = *s;
	__atomic_add_fetch(&surfaces, 1, __ATOMIC_SEQ_CST);
}

static void on_cursor(void *opaque, const struct mh_cursor *c, uint32_t moved)
{
	__atomic_add_fetch(&cursors, 1, __ATOMIC_SEQ_CST);
}

static const struct mh_display_ops ops = { .version = 1,
					   .surface = on_surface,
					   .cursor = on_cursor };

static void setup(void)
{
	api_set_up();
	vm = api_vm(1, 0, 1 << 20);
	surfaces = cursors = 0;
}

static void teardown(void)
{
	mh_vm_destroy(vm);
	api_tear_down();
}

START_TEST(attach)
{
	struct mh_gpu_config config = MH_GPU_CONFIG_INIT;
	struct mh_display_listener *l;
	struct mh_surface s, other;
	struct mh_dev *dev;

	ck_assert_int_eq(mh_display_surface(vm, &s), MH_ENOENT);
	ck_error_has("mh_gpu_attach");
	ck_assert_int_eq(mh_display_listen(vm, &ops, NULL, &l), MH_ENOENT);
	ck_assert_int_eq(mh_display_read(vm, NULL, &s, 4), MH_ENOENT);
	ck_assert_int_eq(mh_display_png(vm, 1), MH_ENOENT);
	ck_assert_int_eq(mh_display_resize(vm, 640, 480), MH_ENOENT);
	config.width = 63;
	ck_assert_int_eq(mh_gpu_attach(vm, &config, &dev), MH_EINVAL);
	ck_error_has("graphics card of VM \"test\"");
	config.width = 2048;
	config.height = 2049;
	config.vram_bytes = 16 << 20;
	ck_assert_int_eq(mh_gpu_attach(vm, &config, &dev), MH_EINVAL);
	config.height = 2048;
	config.vram_bytes++;
	ck_assert_int_eq(mh_gpu_attach(vm, &config, &dev), MH_EINVAL);
	config.vram_bytes = (2ull << 30);
	ck_assert_int_eq(mh_gpu_attach(vm, &config, &dev), MH_EINVAL);
	config.vram_bytes = 16 << 20;
	config.reserved = 1;
	ck_assert_int_eq(mh_gpu_attach(vm, &config, &dev), MH_EINVAL);
	config.reserved = 0;
	config.flags = 1u << 31;
	ck_assert_int_eq(mh_gpu_attach(vm, &config, &dev), MH_EINVAL);
	config.flags = 0;
	/* What could not be plugged in leaves no display behind. */
	fake_machine.add_error = MH_ERANGE;
	ck_assert_int_eq(mh_gpu_attach(vm, &config, &dev), MH_ERANGE);
	ck_assert_int_eq(mh_display_surface(vm, &s), MH_ENOENT);
	fake_machine.add_error = 0;
	ck_assert_int_eq(mh_gpu_attach(vm, &config, &dev), 0);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1050);
	ck_assert_uint_eq(fake_machine.devs[0]->class_code, 0x038000);
	ck_assert_int_eq(mh_gpu_attach(vm, NULL, NULL), MH_EEXIST);
	ck_assert_int_eq(mh_display_surface(vm, &s), 0);
	ck_assert_uint_eq(s.bytes, 16 << 20);
	ck_assert_uint_eq(s.width, 0);
	ck_assert_uint_eq(s.height, 0);
	ck_assert_int_eq(mh_display_surface(vm, &other), 0);
	ck_assert_int_ne(s.fd, other.fd);
	ck_assert_int_eq(fcntl(s.fd, F_GETFD), FD_CLOEXEC);
	close(s.fd);
	close(other.fd);
	/* The display stays, and takes another card. */
	ck_assert_int_eq(mh_display_listen(vm, &ops, NULL, &l), 0);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	config.width = 4096;
	ck_assert_int_eq(mh_gpu_attach(vm, &config, NULL), MH_EINVAL);
	config.width = 1024;
	ck_assert_int_eq(mh_gpu_attach(vm, &config, NULL), 0);
	mh_display_unlisten(l);
	mh_display_unlisten(NULL);
}
END_TEST

START_TEST(looking)
{
	struct mh_display_ops wrong = ops;
	struct mh_rect rect = { 0, 0, 2, 1 };
	struct mh_display_listener *l, *left;
	struct mh_dev_metrics m = MH_DEV_METRICS_INIT;
	struct mh_dev *dev;
	u32 pixels[4];
	int fd[2];

	ck_assert_int_eq(mh_gpu_attach(vm, NULL, &dev), 0);
	ck_assert_int_eq(mh_dev_metrics(dev, &m), 0);
	ck_assert_uint_eq(m.requests, 0);
	wrong.version = 2;
	ck_assert_int_eq(mh_display_listen(vm, &wrong, NULL, &l), MH_EINVAL);
	ck_error_has("version");
	ck_assert_int_eq(mh_display_listen(vm, NULL, NULL, &l), MH_EINVAL);
	ck_assert_int_eq(mh_display_listen(vm, &ops, NULL, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_display_surface(vm, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_display_read(vm, NULL, NULL, 4), MH_EINVAL);
	ck_assert_int_eq(mh_display_read(vm, &rect, pixels, 7), MH_EINVAL);
	ck_assert_int_eq(mh_display_read(vm, &rect, pixels, 8), MH_ESTATE);
	ck_error_has("shows nothing");
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	ck_assert_int_eq(mh_display_png(vm, fd[0]), MH_ESTATE);
	close(fd[0]);
	close(fd[1]);
	ck_assert_int_eq(mh_display_resize(vm, 63, 100), MH_EINVAL);
	ck_assert_int_eq(mh_display_resize(vm, 16384, 16384), MH_EINVAL);
	ck_assert_int_eq(mh_display_resize(vm, 1920, 1080), 0);
	ck_assert_int_eq(mh_display_listen(vm, &ops, NULL, &l), 0);
	ck_assert_uint_eq(surfaces, 1);
	ck_assert_uint_eq(cursors, 1);
	ck_assert_int_eq(mh_display_listen(vm, &ops, NULL, &left), 0);
	mh_display_unlisten(l);
	ck_assert_int_eq(mh_display_listen(NULL, &ops, NULL, &l), MH_EINVAL);
	ck_assert_int_eq(mh_display_surface(NULL, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_display_read(NULL, NULL, pixels, 4), MH_EINVAL);
	ck_assert_int_eq(mh_display_png(NULL, 1), MH_EINVAL);
	ck_assert_int_eq(mh_display_resize(NULL, 640, 480), MH_EINVAL);
	/* The other one goes with the VM. */
}
END_TEST

static bool sigpipe_pending(void)
{
	sigset_t set;

	return !sigpending(&set) && sigismember(&set, SIGPIPE);
}

static void no_reader(int fd)
{
	ck_assert_int_eq(mh_display_png(vm, fd), MH_EIO);
	ck_error_has("Broken pipe");
	close(fd);
}

/* Who reads the picture has gone: a pipe's SIGPIPE ended the process. */
START_TEST(no_reader_of_a_picture)
{
	const struct mhi_display_mode mode = { .width = 64, .height = 64, .stride = 256 };
	sigset_t set, now;
	int fd[2];

	ck_assert_int_eq(mh_gpu_attach(vm, NULL, NULL), 0);
	mhi_display_show(mhi_vm_display(vm), MHI_DISPLAY_GPU, &mode);
	ck_assert_int_eq(pipe(fd), 0);
	close(fd[0]);
	no_reader(fd[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	close(fd[0]);
	no_reader(fd[1]);
	ck_assert(!pthread_sigmask(SIG_BLOCK, NULL, &now) && !sigismember(&now, SIGPIPE));
	/* Of a thread that has it blocked nothing is left, but what was its own. */
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	ck_assert_int_eq(pipe(fd), 0);
	close(fd[0]);
	no_reader(fd[1]);
	ck_assert(!sigpipe_pending());
	pthread_kill(pthread_self(), SIGPIPE);
	ck_assert_int_eq(pipe(fd), 0);
	close(fd[0]);
	no_reader(fd[1]);
	ck_assert(sigpipe_pending());
	ck_assert_int_eq(sigwaitinfo(&set, NULL), SIGPIPE);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
END_TEST

START_TEST(framebuffers)
{
	struct mh_framebuffer_config c = MH_FRAMEBUFFER_CONFIG_INIT;
	struct mh_surface s;
	struct mh_dev *dev;

	c.flags = MH_VIRTIO_SPLIT;
	ck_assert_int_eq(mh_framebuffer_attach(vm, &c, &dev), MH_EINVAL);
	c.flags = 1u << 31;
	ck_assert_int_eq(mh_framebuffer_attach(vm, &c, &dev), MH_EINVAL);
	c.flags = MH_VIRTIO_SLOT(5);
	c.reserved = 1;
	ck_assert_int_eq(mh_framebuffer_attach(vm, &c, &dev), MH_EINVAL);
	c.reserved = 0;
	c.bytes = 256u << 20;
	ck_assert_int_eq(mh_framebuffer_attach(vm, &c, &dev), MH_EINVAL);
	c.bytes = 1 << 20;
	c.vram_bytes = 4 << 20;
	c.width = 10;
	ck_assert_int_eq(mh_framebuffer_attach(vm, &c, &dev), MH_EINVAL);
	c.width = c.height = 0;
	ck_assert_int_eq(mh_framebuffer_attach(vm, &c, &dev), 0);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1111);
	ck_assert_uint_eq(fake_machine.devs[0]->want_slot, 5);
	ck_assert_uint_eq(fake_machine.devs[0]->bar[0].bytes, 1 << 20);
	ck_assert_int_eq(mh_framebuffer_attach(vm, NULL, NULL), MH_EEXIST);
	/* It shares the display with a card, which covers it. */
	ck_assert_int_eq(mh_gpu_attach(vm, NULL, NULL), 0);
	ck_assert_int_eq(mh_display_surface(vm, &s), 0);
	ck_assert_uint_eq(s.bytes, 4 << 20);
	close(s.fd);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	ck_assert_int_eq(mh_framebuffer_attach(vm, &c, NULL), 0);
}
END_TEST

/* ---- somebody comes while others are told ---- */

static const struct mhi_display_mode first_mode = { .width = 64, .height = 64, .stride = 256 };
static const struct mhi_display_mode next_mode = { .width = 96, .height = 64, .stride = 384 };
static struct mh_display_listener *newcomer;
static u32 widths[8], told, sizes;

static void on_newcomer(void *opaque, const struct mh_surface *s)
{
	ck_assert_uint_eq(s->width, next_mode.width);
}

static void on_first(void *opaque, const struct mh_surface *s)
{
	static const struct mh_display_ops second = { .version = 1, .surface = on_newcomer };

	widths[told++ % MHI_COUNT(widths)] = s->width;
	if (s->width != first_mode.width || newcomer)
		return;
	mhi_display_show(mhi_vm_display(vm), MHI_DISPLAY_GPU, &next_mode);
	mh_display_resize(vm, 800, 600);
	mh_display_listen(vm, &second, NULL, &newcomer);
}

static void on_size(void *opaque)
{
	sizes++;
}

static void nothing(void *opaque)
{
}

/* What has changed meanwhile was told to the newcomer alone. */
START_TEST(listen_in_a_callback)
{
	static const struct mh_display_ops first = { .version = 1, .surface = on_first };
	struct mh_display_listener *l;

	newcomer = NULL;
	told = sizes = 0;
	ck_assert_int_eq(mh_gpu_attach(vm, NULL, NULL), 0);
	mhi_display_on_resize(mhi_vm_display(vm), on_size, NULL);
	ck_assert_int_eq(mh_display_listen(vm, &first, NULL, &l), 0);
	mhi_display_show(mhi_vm_display(vm), MHI_DISPLAY_GPU, &first_mode);
	for (u32 n = 0; n < 3; n++)
		mhi_loop_call(ctx->loop, nothing, NULL);
	ck_assert_ptr_nonnull(newcomer);
	ck_assert_uint_eq(told, 3);
	ck_assert_uint_eq(widths[0], 0);
	ck_assert_uint_eq(widths[1], first_mode.width);
	ck_assert_uint_eq(widths[2], next_mode.width);
	ck_assert_uint_eq(sizes, 1);
	mh_display_unlisten(newcomer);
	mh_display_unlisten(l);
}
END_TEST

/* ---- several threads ---- */

static void *come_and_go(void *opaque)
{
	for (u32 n = 0; n < 200; n++) {
		struct mh_display_listener *l;
		struct mh_surface s;

		ck_assert_int_eq(mh_display_listen(vm, &ops, NULL, &l), 0);
		ck_assert_int_eq(mh_display_resize(vm, 640 + n, 480), 0);
		ck_assert_int_eq(mh_display_surface(vm, &s), 0);
		close(s.fd);
		mh_display_unlisten(l);
	}
	return NULL;
}

START_TEST(threads)
{
	pthread_t thread[3];

	ck_assert_int_eq(mh_gpu_attach(vm, NULL, NULL), 0);
	for (u32 n = 0; n < MHI_COUNT(thread); n++)
		ck_assert_int_eq(pthread_create(&thread[n], NULL, come_and_go, NULL), 0);
	for (u32 n = 0; n < MHI_COUNT(thread); n++)
		pthread_join(thread[n], NULL);
	ck_assert_uint_ge(surfaces, 600);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, attach);
	tcase_add_test(tcase, looking);
	tcase_add_test(tcase, no_reader_of_a_picture);
	tcase_add_test(tcase, framebuffers);
	tcase_add_test(tcase, listen_in_a_callback);
	tcase_add_test(tcase, threads);
}

UNIT_MAIN("dev_display", add_tests)
