/* SPDX-License-Identifier: MIT */
/* Error sentences and names; the log's level and serialisation. */
#include <pthread.h>
#include <string.h>

#include "unit.h"
#include "core/err.h"
#include "core/log.h"

START_TEST(names)
{
	ck_assert_str_eq(mh_err_name(0), "MH_OK");
	ck_assert_str_eq(mh_err_name(MH_EBUSY), "MH_EBUSY");
	ck_assert_str_eq(mh_err_name(-12345), "MH_UNKNOWN");
	ck_assert_str_eq(mh_strerror(0), "success");
	ck_assert_str_eq(mh_strerror(MH_ETIMEDOUT), "timed out");
	ck_assert_str_eq(mh_strerror(1), "unknown error");
}
END_TEST

START_TEST(sentences)
{
	struct mhi_err err = { 0 };

	ck_assert_int_eq(mhi_err_set(&err, MH_EIO, "disk %d: %s", 3, "gone"), MH_EIO);
	ck_assert_int_eq(err.code, MH_EIO);
	ck_assert_str_eq(err.text, "disk 3: gone");
	ck_assert_int_eq(mhi_err_wrap(&err, "start VM \"%s\"", "x"), MH_EIO);
	ck_assert_str_eq(err.text, "start VM \"x\": disk 3: gone");
	ck_assert_int_eq(mhi_err_set(NULL, MH_EIO, "nobody listens"), MH_EIO);
	ck_assert_int_eq(mhi_err_wrap(NULL, "nobody listens"), MH_ENOMEM);
}
END_TEST

/* Both ends may be too long: the text is cut, and stays a string. */
START_TEST(long_sentences)
{
	char long_text[3 * MHI_ERR_TEXT];
	struct mhi_err err = { 0 };

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	mhi_err_set(&err, MH_EIO, "%s", long_text);
	ck_assert_uint_eq(strlen(err.text), MHI_ERR_TEXT - 1);
	mhi_err_wrap(&err, "abc");
	ck_assert_uint_eq(strlen(err.text), MHI_ERR_TEXT - 1);
	ck_assert_int_eq(strncmp(err.text, "abc: xxx", 8), 0);
	mhi_err_set(&err, MH_EIO, "tail");
	mhi_err_wrap(&err, "%s", long_text);
	ck_assert_uint_lt(strlen(err.text), MHI_ERR_TEXT);
}
END_TEST

static struct {
	int calls, inside;
	char text[64];
	enum mh_log_level level;
} sink;

static void on_log(void *opaque, enum mh_log_level level, const char *text)
{
	ck_assert_int_eq(__atomic_fetch_add(&sink.inside, 1, __ATOMIC_SEQ_CST), 0);
	sink.calls++;
	sink.level = level;
	strncpy(sink.text, text, sizeof(sink.text) - 1);
	__atomic_fetch_sub(&sink.inside, 1, __ATOMIC_SEQ_CST);
}

START_TEST(log_level)
{
	struct mhi_log log;

	memset(&sink, 0, sizeof(sink));
	ck_assert_int_eq(mhi_log_init(&log, on_log, NULL, MH_LOG_WARN), 0);
	mhi_log(&log, MH_LOG_INFO, "not this");
	ck_assert_int_eq(sink.calls, 0);
	mhi_log(&log, MH_LOG_WARN, "this %d", 1);
	ck_assert_str_eq(sink.text, "this 1");
	ck_assert_int_eq(sink.level, MH_LOG_WARN);
	mhi_log(&log, MH_LOG_ERROR, "and this");
	ck_assert_int_eq(sink.calls, 2);
	mhi_log_fini(&log);
	ck_assert_int_eq(mhi_log_init(&log, NULL, NULL, MH_LOG_DEBUG), 0);
	mhi_log(&log, MH_LOG_ERROR, "silent");
	mhi_log_fini(&log);
}
END_TEST

static void *hammer(void *opaque)
{
	int i;

	for (i = 0; i < 1000; i++)
		mhi_log(opaque, MH_LOG_ERROR, "%d", i);
	return NULL;
}

START_TEST(log_one_at_a_time)
{
	pthread_t thread[4];
	struct mhi_log log;
	int i;

	memset(&sink, 0, sizeof(sink));
	ck_assert_int_eq(mhi_log_init(&log, on_log, NULL, MH_LOG_ERROR), 0);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, hammer, &log), 0);
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	ck_assert_int_eq(sink.calls, 4000);
	mhi_log_fini(&log);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, sentences);
	tcase_add_test(tcase, long_sentences);
	tcase_add_test(tcase, log_level);
	tcase_add_test(tcase, log_one_at_a_time);
}

UNIT_MAIN("err", add_tests)
