// SPDX-License-Identifier: MIT
/* GDB's remote serial protocol: packets to the last byte, registers, and what requests do. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/x86.h"
#include "fake_gdb.h"

static struct mhi_gdb g;
static struct fake_gdb guest;
static char said[2 * MHI_RSP_PACKET];

static void begin(void)
{
	memset(&guest, 0, sizeof(guest));
	mhi_gdb_init(&g, &fake_gdb_target, &guest, FAKE_GDB_CPUS);
	g.ack = false;
}

/* Takes what is to be sent away, as text. */
static const char *answer(void)
{
	const u8 *bytes;
	size_t count = mhi_gdb_pending(&g, &bytes);

	memcpy(said, bytes, count);
	said[count] = '\0';
	mhi_gdb_sent(&g, count);
	return said;
}

static const char *raw(const char *text)
{
	size_t bytes = strlen(text);

	ck_assert_uint_eq(mhi_gdb_feed(&g, (const u8 *)text, bytes), bytes);
	return answer();
}

/* The body of the answer to a packet; "": none. */
static const char *ask(const char *body)
{
	static char packet[MHI_RSP_PACKET + 8];
	unsigned int sum = 0;
	size_t n;

	for (n = 0; body[n]; n++)
		sum += (unsigned char)body[n];
	snprintf(packet, sizeof(packet), "$%s#%02x", body, sum & 0xff);
	raw(packet);
	n = strlen(said);
	if (n < 4)
		return "";
	ck_assert(said[0] == '$' && said[n - 3] == '#');
	said[n - 3] = '\0';
	return said + 1;
}

START_TEST(packets)
{
	begin();
	g.ack = true;
	ck_assert_str_eq(raw("$qC#b4"), "+$QC01#f5");
	/* A wrong checksum, no hexadecimal digits, an escape that has no end. */
	ck_assert_str_eq(raw("$qC#b5"), "-");
	ck_assert_str_eq(raw("$qC#zz"), "-");
	ck_assert_str_eq(raw("$qC}#31"), "-");
	/* What is between packets does not matter; a packet that begins anew is the new one. */
	ck_assert_str_eq(raw("+xyz$garbage$qC#b4"), "+$QC01#f5");
	/* Not received: once more. */
	ck_assert_str_eq(raw("-"), "+$QC01#f5");
	ck_assert_str_eq(raw("$QStartNoAckMode#b0"), "+$OK#9a");
	ck_assert_str_eq(raw("$qC#b4"), "$QC01#f5");
	ck_assert_str_eq(raw("$unknown#10"), "$#00");
}
END_TEST

START_TEST(too_long)
{
	static char packet[MHI_RSP_PACKET + 64];
	unsigned int sum = 0, i;

	begin();
	g.ack = true;
	packet[0] = '$';
	for (i = 1; i <= MHI_RSP_PACKET + 1; i++)
		sum += (unsigned char)(packet[i] = 'a');
	snprintf(packet + i, 8, "#%02x", sum & 0xff);
	ck_assert_str_eq(raw(packet), "-");
	ck_assert_str_eq(raw("$qC#b4"), "+$QC01#f5");
}
END_TEST

START_TEST(memory)
{
	u32 i;

	begin();
	for (i = 0; i < 16; i++)
		guest.memory[i] = (u8)(i * 17);
	ck_assert_str_eq(ask("m10000,4"), "00112233");
	ck_assert_str_eq(ask("m10fff,2"), "E0e");
	ck_assert_str_eq(ask("m10000"), "E16");
	ck_assert_str_eq(ask("m10000,10000000000000000"), "E16");
	ck_assert_str_eq(ask("mffffffffffffffff,ffffffffffffffff"), "E0e");
	ck_assert_str_eq(ask("M10008,2:abcd"), "OK");
	ck_assert_uint_eq(guest.memory[8], 0xab);
	ck_assert_str_eq(ask("M10008,3:abcd"), "E16");
	ck_assert_str_eq(ask("M10008,2:abcdef"), "E16");
	/* Binary, with an escaped '#'. */
	ck_assert_str_eq(ask("X10000,2:}\x03z"), "OK");
	ck_assert(guest.memory[0] == '#' && guest.memory[1] == 'z');
	ck_assert_str_eq(ask("X10000,3:zz"), "E16");
	ck_assert_str_eq(ask("X10000,0:"), "OK");
	ck_assert_str_eq(ask("m0,1"), "E0e");
	ck_assert_str_eq(ask("Qqemu.PhyMemMode:1"), "OK");
	ck_assert_str_eq(ask("m0,1"), "23");
	ck_assert_str_eq(ask("qqemu.PhyMemMode"), "1");
}
END_TEST

START_TEST(registers)
{
	const u16 fcw = 0x27f;
	char packet[64];

	begin();
	guest.state[0].gpr[MHK_RBX] = 0x1122334455667788;
	guest.state[0].rip = 0xffffffff81000000;
	guest.state[0].seg[MHK_FS].base = 0x7f00;
	ck_assert_str_eq(ask("p1"), "8877665544332211");
	ck_assert_str_eq(ask("p10"), "00000081ffffffff");
	ck_assert_str_eq(ask("p39"), "007f000000000000");
	ck_assert_str_eq(ask("p42"), "E16");
	/* The FPU as after FNINIT, though its image is empty: FCTRL, FTAG and MXCSR. */
	ck_assert_str_eq(ask("p20"), "7f030000");
	ck_assert_str_eq(ask("p22"), "ffff0000");
	ck_assert_str_eq(ask("p38"), "801f0000");
	ck_assert_str_eq(ask("P20=7f020000"), "OK");
	ck_assert_uint_eq(guest.last_groups, MHK_G_FPU);
	ck_assert(!memcmp(guest.fpu[0], &fcw, 2) && guest.fpu[0][512] == 1);
	ck_assert_str_eq(ask("P22=fcff0000"), "OK");
	ck_assert_uint_eq(guest.fpu[0][4], 1);
	ck_assert_str_eq(ask("p22"), "fcff0000");
	ck_assert_str_eq(ask("P10=0100000000000000"), "OK");
	ck_assert_uint_eq(guest.state[0].rip, 1);
	ck_assert_str_eq(ask("P10=01"), "E16");
	snprintf(packet, sizeof(packet), "G%016x", 0x55);
	ck_assert_str_eq(ask(packet), "OK");
	ck_assert_uint_eq(guest.state[0].gpr[MHK_RAX], 0x5500000000000000);
	ck_assert_str_eq(ask("G00"), "E16");
	ck_assert_uint_eq(strlen(ask("g")), 2 * (16 * 8 + 8 + 4 + 24 + 80 + 32 + 256 + 4 + 72));
	guest.refuse = true;
	ck_assert_str_eq(ask("g"), "E01");
	ck_assert_str_eq(ask("P10=0100000000000000"), "E01");
}
END_TEST

START_TEST(description)
{
	static char xml[1 << 16];
	char packet[64];
	const char *part;
	size_t at = 0;

	begin();
	do {
		snprintf(packet, sizeof(packet), "qXfer:features:read:target.xml:%zx,3f0", at);
		part = ask(packet);
		memcpy(xml + at, part + 1, strlen(part + 1) + 1);
		at += strlen(part + 1);
	} while (*part == 'm');
	ck_assert_int_eq(*part, 'l');
	ck_assert_str_eq(xml, mhi_gdb_target_xml);
	/* As many registers as there are, in one order. */
	for (at = 0, part = xml; (part = strstr(part, "<reg ")) != NULL; part++)
		at++;
	ck_assert_uint_eq(at, MHI_GDB_REGS);
	ck_assert_str_eq(ask("qXfer:features:read:other.xml:0,10"), "E00");
	ck_assert_str_eq(ask("qXfer:features:read:target.xml:ffffff,10"), "E00");
}
END_TEST

START_TEST(threads)
{
	begin();
	guest.state[1].mp_state = MHK_MP_HALTED;
	ck_assert_str_eq(ask("qfThreadInfo"), "m01,02,03");
	ck_assert_str_eq(ask("qsThreadInfo"), "l");
	ck_assert_str_eq(ask("qThreadExtraInfo,2"), "764350552031205b68616c7465645d");
	ck_assert_str_eq(ask("T3"), "OK");
	ck_assert_str_eq(ask("T4"), "E02");
	ck_assert_str_eq(ask("T0"), "OK");
	ck_assert_str_eq(ask("Hg2"), "OK");
	ask("g");
	ck_assert_uint_eq(guest.last_cpu, 1);
	ck_assert_str_eq(ask("Hg4"), "E16");
	ck_assert_str_eq(ask("Hx1"), "E16");
	ck_assert_str_eq(ask("qC"), "QC02");
}
END_TEST

START_TEST(going)
{
	struct mhi_gdb_stop stop = { 2, MHI_GDB_POINT, MHI_GDB_WRITE, 0xabc };

	begin();
	ask("qSupported:multiprocess+;swbreak+;hwbreak+");
	ck_assert_str_eq(ask("vCont?"), "vCont;c;C;s;S");
	ck_assert_str_eq(ask("vCont;s:2"), "");
	ck_assert(guest.action[0] == MHI_GDB_HOLD && guest.action[1] == MHI_GDB_STEP);
	/* It runs: nothing is answered but the end of that. */
	ck_assert_str_eq(ask("g"), "");
	raw("\x03");
	ck_assert_uint_eq(guest.stops, 1);
	mhi_gdb_stopped(&g, &stop);
	ck_assert_str_eq(answer(), "$T05thread:03;watch:abc;#bb");
	ck_assert_str_eq(ask("vCont;s:1;c"), "");
	ck_assert(guest.action[0] == MHI_GDB_STEP && guest.action[2] == MHI_GDB_GO);
	stop = (struct mhi_gdb_stop){ 0, MHI_GDB_BREAK, MHI_GDB_SOFT, 0 };
	mhi_gdb_stopped(&g, &stop);
	ck_assert(strstr(answer(), "T02thread:01;"));
	ck_assert_str_eq(ask("vCont;x"), "E16");
	ck_assert_str_eq(ask("vCont"), "E16");
	ck_assert_str_eq(ask("vCont;c:9"), "E16");
	ck_assert_uint_eq(guest.resumes, 2);
	/* An address to go on at. */
	ck_assert_str_eq(ask("c1234"), "");
	ck_assert_uint_eq(guest.state[0].rip, 0x1234);
	stop.why = MHI_GDB_POINT;
	mhi_gdb_stopped(&g, &stop);
	ck_assert(strstr(answer(), "T05thread:01;swbreak:;"));
	ck_assert_str_eq(ask("Z0,1000,1"), "OK");
	ck_assert_str_eq(ask("Z0,bad,1"), "E16");
	ck_assert_str_eq(ask("Z5,1000,1"), "E16");
	ck_assert_str_eq(ask("Z0,1000"), "E16");
	ck_assert_str_eq(ask("D"), "OK");
	ck_assert(g.over && guest.detaches == 1);
}
END_TEST

START_TEST(endings)
{
	begin();
	ask("c");
	mhi_gdb_ended(&g);
	ck_assert_str_eq(answer(), "$W00#b7");
	ck_assert(g.over);
	begin();
	ck_assert_str_eq(ask("k"), "");
	ck_assert(g.over && guest.kills == 1);
	begin();
	ck_assert_str_eq(ask("vKill;1"), "OK");
	ck_assert(g.over && guest.kills == 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, packets);
	tcase_add_test(tcase, too_long);
	tcase_add_test(tcase, memory);
	tcase_add_test(tcase, registers);
	tcase_add_test(tcase, description);
	tcase_add_test(tcase, threads);
	tcase_add_test(tcase, going);
	tcase_add_test(tcase, endings);
}

UNIT_MAIN("gdb", add_tests)
