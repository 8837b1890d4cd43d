/* SPDX-License-Identifier: MIT */
/* The frame of a unit test program: one suite, run without forking, exit status for Meson. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

#define UNIT_MAIN(suite_name, add_tests)                     \
	int main(void)                                       \
	{                                                    \
		Suite *suite = suite_create(suite_name);     \
		TCase *tcase = tcase_create("all");          \
		SRunner *runner;                             \
		int failed;                                  \
                                                             \
		tcase_set_timeout(tcase, 60);                \
		add_tests(tcase);                            \
		suite_add_tcase(suite, tcase);               \
		runner = srunner_create(suite);              \
		srunner_run_all(runner, CK_NORMAL);          \
		failed = srunner_ntests_failed(runner);      \
		srunner_free(runner);                        \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS; \
	}

#endif
