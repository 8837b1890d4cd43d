// SPDX-License-Identifier: MIT
/*
 * The serial port: what Linux's 8250 driver tries to tell chips apart, FIFO, interrupts,
 * loopback, queues.
 */
#include "unit.h"
#include "platform/uart.h"

#include <pthread.h>

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define FCR IIR

#define GSI 4

static struct mhi_uart uart;
static struct {
	bool level;
	unsigned int rises;
} irq;
static struct {
	char text[8192];
	size_t len;
	bool busy;
} out;

static void set_line(void *opaque, unsigned int gsi, bool level)
{
	ck_assert_uint_eq(gsi, GSI);
	irq.rises += level && !irq.level;
	irq.level = level;
}

static void collect(void *opaque, const void *data, size_t bytes)
{
	ck_assert(!__atomic_exchange_n(&out.busy, true, __ATOMIC_SEQ_CST));
	ck_assert_uint_le(out.len + bytes, sizeof(out.text));
	memcpy(out.text + out.len, data, bytes);
	out.len += bytes;
	__atomic_store_n(&out.busy, false, __ATOMIC_SEQ_CST);
}

static void setup(void)
{
	static const struct mhi_irq_sink sink = { .set = set_line };

	memset(&irq, 0, sizeof(irq));
	memset(&out, 0, sizeof(out));
	mhi_uart_init(&uart, &sink, GSI);
	mhi_uart_attach(&uart, collect, NULL);
}

static void teardown(void)
{
	mhi_uart_fini(&uart);
}

static u8 in(unsigned int reg)
{
	return (u8)mhi_uart_ops.read(&uart, reg, 1);
}

static void put(unsigned int reg, unsigned int value)
{
	mhi_uart_ops.write(&uart, reg, 1, value);
}

static size_t type(const char *text)
{
	return mhi_uart_input(&uart, text, strlen(text));
}

/* The steps of Linux's autoconfig(), drivers/tty/serial/8250/8250_port.c. */
START_TEST(linux_autodetection)
{
	u8 status, status2;

	setup();
	put(IER, 0);
	ck_assert_uint_eq(in(IER)&0x0f, 0);
	put(IER, 0x0f);
	ck_assert_uint_eq(in(IER), 0x0f);
	put(IER, 0);
	/* Loopback with OUT2 and RTS must show carrier and clear to send. */
	put(MCR, 0x10 | 0x08 | 0x02);
	ck_assert_uint_eq(in(MSR)&0xf0, 0x90);
	put(MCR, 0x08);
	/* No enhanced features behind LCR 0xbf; both FIFO bits in IIR: a 16550A. */
	put(LCR, 0xbf);
	put(FCR, 0);
	put(LCR, 0);
	put(FCR, 0x01);
	ck_assert_uint_eq(in(IIR) >> 6, 3);
	/* autoconfig_16550a(): none of the better chips. */
	put(LCR, 0x80);
	ck_assert_uint_ne(in(IIR), 0);
	put(LCR, 0xbf);
	ck_assert_uint_ne(in(IIR), 0);
	put(LCR, 0);
	status = in(MCR);
	put(MCR, status ^ 0x10);
	put(LCR, 0xe0);
	status2 = in(2);
	put(LCR, 0);
	put(MCR, status);
	ck_assert_uint_eq((status2 ^ status) & 0x10, 0);
	/* The 16750's 64-byte FIFO bit does not stick. */
	put(FCR, 0x01 | 0x20);
	ck_assert_uint_eq(in(IIR) >> 5, 6);
	put(LCR, 0x80);
	put(FCR, 0x01 | 0x20);
	ck_assert_uint_eq(in(IIR) >> 5, 6);
	put(LCR, 0);
	/* The XScale's unit enable does not either. */
	put(IER, 0x40);
	ck_assert_uint_eq(in(IER), 0);
	teardown();
}
END_TEST

/* serial8250_do_startup(): the tests for chips that lose transmitter interrupts. */
START_TEST(linux_startup)
{
	setup();
	put(FCR, 0x07);
	put(FCR, 0);
	ck_assert_uint_ne(in(LSR), 0xff);
	put(IER, 0x02);
	ck_assert_uint_eq(in(IIR)&0x0f, 0x02);
	put(IER, 0);
	put(IER, 0x02);
	ck_assert_uint_eq(in(IIR)&0x0f, 0x02);
	put(IER, 0);
	ck_assert_uint_eq(in(IIR)&0x0f, 0x01);
	put(IER, 0x02);
	ck_assert_uint_eq(in(LSR)&0x60, 0x60);
	ck_assert_uint_eq(in(IIR)&0x01, 0);
	teardown();
}
END_TEST

START_TEST(registers)
{
	setup();
	ck_assert_uint_eq(in(LCR), 0x03);
	put(LCR, 0x83);
	put(DATA, 0x34);
	put(IER, 0x12);
	ck_assert_uint_eq(in(DATA), 0x34);
	ck_assert_uint_eq(in(IER), 0x12);
	put(LCR, 0x03);
	ck_assert_uint_eq(in(IER), 0);
	ck_assert_uint_eq(out.len, 0);
	put(SCR, 0x5a);
	ck_assert_uint_eq(in(SCR), 0x5a);
	ck_assert_uint_eq(in(MSR)&0xf0, 0xb0);
	ck_assert_uint_eq(in(LSR), 0x60);
	put(LSR, 0xff);
	ck_assert_uint_eq(in(LSR), 0x60);
	ck_assert_uint_eq(in(DATA), 0);
	/* A 16-bit access is two registers. */
	mhi_uart_ops.write(&uart, MCR - 1, 2, 0x0b1b);
	ck_assert_uint_eq(in(LCR), 0x1b);
	ck_assert_uint_eq(mhi_uart_ops.read(&uart, LCR, 2), 0x0b1b);
	/* 32 bits at the last register end there. */
	ck_assert_uint_eq(mhi_uart_ops.read(&uart, SCR, 4) & 0xff, 0x5a);
	teardown();
}
END_TEST

START_TEST(output)
{
	setup();
	put(FCR, 0x01);
	for (const char *p = "login: "; *p; p++) {
		ck_assert_uint_eq(in(LSR)&0x60, 0x60);
		put(DATA, (u8)*p);
		/* Nothing is held back. */
		ck_assert_uint_eq(out.text[out.len - 1], *p);
	}
	ck_assert_uint_eq(out.len, 7);
	mhi_uart_attach(&uart, NULL, NULL);
	put(DATA, 'x');
	ck_assert_uint_eq(out.len, 7);
	teardown();
}
END_TEST

START_TEST(transmit_interrupt)
{
	setup();
	put(FCR, 0x01);
	put(IER, 0x02);
	ck_assert(irq.level);
	ck_assert_uint_eq(in(IIR), 0xc2);
	/* Reading IIR acknowledged it. */
	ck_assert(!irq.level);
	ck_assert_uint_eq(in(IIR), 0xc1);
	put(DATA, 'a');
	ck_assert(irq.level);
	ck_assert_uint_eq(irq.rises, 2);
	/* Each byte is a new edge: an edge-triggered handler that only looks at LSR goes on. */
	put(DATA, 'b');
	ck_assert_uint_eq(irq.rises, 3);
	put(IER, 0);
	ck_assert(!irq.level);
	teardown();
}
END_TEST

START_TEST(receive)
{
	setup();
	put(FCR, 0x81); /* trigger at 8 */
	put(IER, 0x01);
	ck_assert(!irq.level);
	ck_assert_uint_eq(type("abc"), 3);
	ck_assert(irq.level);
	ck_assert_uint_eq(in(IIR), 0xcc);
	ck_assert_uint_eq(in(LSR), 0x61);
	ck_assert_uint_eq(type("defgh"), 5);
	ck_assert_uint_eq(in(IIR), 0xc4);
	for (char c = 'a'; c <= 'h'; c++)
		ck_assert_uint_eq(in(DATA), (u8)c);
	ck_assert(!irq.level);
	ck_assert_uint_eq(in(IIR), 0xc1);
	ck_assert_uint_eq(in(LSR), 0x60);
	ck_assert_uint_eq(irq.rises, 1);
	/* Receive comes before transmit. */
	put(IER, 0x03);
	type("x");
	ck_assert_uint_eq(in(IIR), 0xcc);
	ck_assert_uint_eq(in(DATA), 'x');
	ck_assert_uint_eq(in(IIR), 0xc2);
	teardown();
}
END_TEST

START_TEST(receive_without_fifo)
{
	setup();
	put(IER, 0x01);
	type("ab");
	ck_assert_uint_eq(in(IIR), 0x04);
	ck_assert_uint_eq(in(DATA), 'a');
	ck_assert_uint_eq(in(LSR), 0x61);
	ck_assert_uint_eq(in(DATA), 'b');
	ck_assert_uint_eq(in(LSR), 0x60);
	teardown();
}
END_TEST

START_TEST(queue_limit)
{
	static char bulk[MHI_UART_WIRE + 100];
	size_t taken;

	setup();
	for (size_t i = 0; i < sizeof(bulk); i++)
		bulk[i] = (char)(i * 7);
	put(FCR, 0x01);
	taken = mhi_uart_input(&uart, bulk, sizeof(bulk));
	ck_assert_uint_ge(taken, MHI_UART_WIRE);
	ck_assert_uint_lt(taken, sizeof(bulk));
	/* Nothing is lost or reordered, and reading makes room. */
	for (size_t i = 0; i < 100; i++)
		ck_assert_uint_eq(in(DATA), (u8)bulk[i]);
	ck_assert_uint_eq(mhi_uart_input(&uart, bulk + taken, sizeof(bulk) - taken),
			  sizeof(bulk) - taken);
	for (size_t i = 100; i < sizeof(bulk); i++)
		ck_assert_uint_eq(in(DATA), (u8)bulk[i]);
	ck_assert_uint_eq(in(LSR), 0x60);
	teardown();
}
END_TEST

/*
 * What a driver that has lowered RTS does not want yet waits on the wire. It came all the same, and
 * Linux, whose buffers were full, dropped it.
 */
START_TEST(flow_control)
{
	setup();
	put(FCR, 0x01);
	/* RTS was never used: a boot loader. */
	put(MCR, 0x01);
	type("a");
	ck_assert_uint_eq(in(DATA), 'a');
	put(MCR, 0x0b);
	type("b");
	put(MCR, 0x09);
	type("cd");
	ck_assert_uint_eq(in(DATA), 'b');
	ck_assert_uint_eq(in(LSR), 0x60);
	put(MCR, 0x0b);
	ck_assert_uint_eq(in(DATA), 'c');
	ck_assert_uint_eq(in(DATA), 'd');
	/* The line is closed, and opened by somebody else. */
	put(MCR, 0x09);
	type("e");
	put(MCR, 0x00);
	ck_assert_uint_eq(in(DATA), 'e');
	put(MCR, 0x01);
	type("f");
	ck_assert_uint_eq(in(DATA), 'f');
	/* A reset ends it, too. */
	put(MCR, 0x03);
	put(MCR, 0x01);
	type("g");
	ck_assert_uint_eq(in(LSR), 0x60);
	mhi_uart_reset(&uart);
	ck_assert_uint_eq(in(DATA), 'g');
	teardown();
}
END_TEST

START_TEST(fifo_clear)
{
	setup();
	put(FCR, 0x01);
	type("0123456789abcdefXY");
	put(FCR, 0x03);
	/* The FIFO's 16 bytes are gone, what was still on the wire arrives. */
	ck_assert_uint_eq(in(DATA), 'X');
	ck_assert_uint_eq(in(DATA), 'Y');
	teardown();
}
END_TEST

START_TEST(loopback)
{
	setup();
	put(FCR, 0x01);
	put(MCR, 0x10);
	ck_assert_uint_eq(in(MSR)&0xf0, 0);
	type("w");
	put(DATA, 'L');
	ck_assert_uint_eq(out.len, 0);
	ck_assert_uint_eq(in(LSR), 0x61);
	ck_assert_uint_eq(in(DATA), 'L');
	ck_assert_uint_eq(in(LSR), 0x60);
	for (unsigned int i = 0; i < MHI_UART_FIFO + 1; i++)
		put(DATA, i);
	ck_assert_uint_eq(in(LSR), 0x63);
	ck_assert_uint_eq(in(LSR), 0x61);
	put(FCR, 0x03);
	put(MCR, 0x1d);
	ck_assert_uint_eq(in(MSR)&0xf0, 0xe0);
	/* The wire waited. */
	put(MCR, 0);
	ck_assert_uint_eq(in(DATA), 'w');
	teardown();
}
END_TEST

START_TEST(modem_interrupt)
{
	setup();
	put(IER, 0x08);
	ck_assert(!irq.level);
	put(MCR, 0x10);
	ck_assert(irq.level);
	ck_assert_uint_eq(in(IIR), 0x00);
	ck_assert_uint_eq(in(MSR), 0x0b);
	ck_assert(!irq.level);
	ck_assert_uint_eq(in(MSR), 0x00);
	put(IER, 0x0c);
	put(DATA, 'a');
	put(DATA, 'b'); /* no FIFO: overrun */
	ck_assert_uint_eq(in(IIR), 0x06);
	ck_assert_uint_eq(in(LSR)&0x02, 0x02);
	ck_assert(!irq.level);
	teardown();
}
END_TEST

START_TEST(reset)
{
	setup();
	put(FCR, 0x01);
	put(IER, 0x0f);
	put(MCR, 0x1f);
	put(DATA, 'z');
	ck_assert(irq.level);
	mhi_uart_reset(&uart);
	ck_assert(!irq.level);
	ck_assert_uint_eq(in(IER), 0);
	ck_assert_uint_eq(in(IIR), 0x01);
	ck_assert_uint_eq(in(MCR), 0);
	ck_assert_uint_eq(in(MSR), 0xb0);
	teardown();
}
END_TEST

static void echo(void *opaque, const void *data, size_t bytes)
{
	mhi_uart_input(&uart, data, bytes);
}

/* The output function may give input: no lock is held that input needs. */
START_TEST(output_gives_input)
{
	setup();
	mhi_uart_attach(&uart, echo, NULL);
	put(DATA, 'e');
	ck_assert_uint_eq(in(DATA), 'e');
	teardown();
}
END_TEST

#define STORM 4000

static void *write_many(void *opaque)
{
	for (unsigned int i = 0; i < STORM; i++)
		put(DATA, 'w');
	return NULL;
}

static void *type_many(void *opaque)
{
	size_t done = 0;

	while (done < STORM)
		done += type("i");
	return NULL;
}

/* Two vCPUs write while input arrives: output one call at a time, nothing lost. */
START_TEST(threads)
{
	pthread_t thread[3];
	size_t got = 0;

	setup();
	put(FCR, 0x01);
	put(IER, 0x03);
	pthread_create(&thread[0], NULL, write_many, NULL);
	pthread_create(&thread[1], NULL, write_many, NULL);
	pthread_create(&thread[2], NULL, type_many, NULL);
	while (got < STORM)
		if (in(LSR)&1) {
			ck_assert_uint_eq(in(DATA), 'i');
			got++;
		}
	for (unsigned int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_eq(out.len, 2 * STORM);
	ck_assert_uint_eq(in(LSR), 0x60);
	teardown();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, linux_autodetection);
	tcase_add_test(tcase, linux_startup);
	tcase_add_test(tcase, registers);
	tcase_add_test(tcase, output);
	tcase_add_test(tcase, transmit_interrupt);
	tcase_add_test(tcase, receive);
	tcase_add_test(tcase, receive_without_fifo);
	tcase_add_test(tcase, queue_limit);
	tcase_add_test(tcase, flow_control);
	tcase_add_test(tcase, fifo_clear);
	tcase_add_test(tcase, loopback);
	tcase_add_test(tcase, modem_interrupt);
	tcase_add_test(tcase, reset);
	tcase_add_test(tcase, output_gives_input);
	tcase_add_test(tcase, threads);
}

UNIT_MAIN("uart", add_tests)
