/* SPDX-License-Identifier: MIT */
/* What takes spans to a collector waits for nobody and names its service. */
#include <check.h>
#include <curl/curl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "observer/sender.h"
#include "observer/spool.h"

static struct pool_board pool;
static struct sender sender;
static int asked[2]; /* a byte for each name that is looked up */

/* In place of the C library's: a name server that does not answer. */
int
getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **found)
{
	(void)name;
	(void)service;
	(void)hints;
	(void)found;
	if (write(asked[1], "", 1) == 1)
		for (;;)
			pause();
	return EAI_FAIL;
}

START_TEST(a_name_that_is_looked_up_holds_nobody)
{
	struct nds_error err;
	char byte;

	ck_assert_int_eq(pipe(asked), 0);
	ck_assert_int_eq(sender_open(&sender, "http://nowhere.invalid/",
	    &pool, &err), 0);
	curl_easy_setopt(sender.easy, CURLOPT_TIMEOUT_MS, 100L);
	sender_push(&sender, (struct sender_body){strdup("{}"), 2, 3});
	sender_step(&sender, 1);
	ck_assert_int_eq(read(asked[0], &byte, 1), 1);
	while (sender.failures == 0) {
		sender_wait(&sender, -1, 100);
		sender_step(&sender, 2);
	}
	sender_close(&sender);
	ck_assert_uint_eq(pool.spans_unsent, 3);
}
END_TEST

START_TEST(a_service_of_any_bytes_is_named)
{
	static struct spool spool = {.service = "caf\xe9 \"1\""};
	static const char span[] = "{\"traceId\":\"1\"}\n";
	unsigned spans;
	size_t bytes;
	char *body;

	ck_assert_int_eq(spool_add(&spool, span, sizeof(span) - 1, 1), 0);
	body = spool_take(&spool, &spans, &bytes);
	ck_assert_ptr_nonnull(body);
	ck_assert_ptr_nonnull(strstr(body, "\"caf\\ufffd \\\"1\\\"\""));
	free(body);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sender");
	TCase *t = tcase_create("sender");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, a_name_that_is_looked_up_holds_nobody);
	tcase_add_test(t, a_service_of_any_bytes_is_named);
	tcase_set_timeout(t, 20);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
