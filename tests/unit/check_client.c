/* SPDX-License-Identifier: MIT */
/* Who asks, when proxies are between and some of them lie. */
#include "lib/client.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/request.h"

#define PROXIES "10.0.0.0/8, 2001:db8:ffff::/48"

static const struct {
	const char *peer, *first, *second, *client;
} cases[] = {
    /* an untrusted peer says what it likes */
    {"203.0.113.9", "198.51.100.1", NULL, "203.0.113.9"},
    {"", "198.51.100.1", NULL, ""},
    {"unix:", "198.51.100.1", NULL, "unix:"},
    /* a trusted one names whom it saw */
    {"10.1.1.1", NULL, NULL, "10.1.1.1"},
    {"10.1.1.1", "198.51.100.1", NULL, "198.51.100.1"},
    {"10.1.1.1", "  198.51.100.1\t", NULL, "198.51.100.1"},
    {"::ffff:10.1.1.1", "198.51.100.1", NULL, "198.51.100.1"},
    {"10.1.1.1", "2001:DB8:0::1", NULL, "2001:db8::1"},
    /* left of the first untrusted one is hearsay */
    {"10.1.1.1", "1.1.1.1, 198.51.100.1", NULL, "198.51.100.1"},
    {"10.1.1.1", "10.9.9.9, 198.51.100.1", NULL, "198.51.100.1"},
    {"10.1.1.1", "1.1.1.1, 198.51.100.1, 10.2.2.2", NULL, "198.51.100.1"},
    {"10.1.1.1", "1.1.1.1,198.51.100.1,,10.2.2.2,2001:db8:ffff::7", NULL,
	"198.51.100.1"},
    {"10.1.1.1", "10.3.3.3, 10.2.2.2", NULL, "10.3.3.3"},
    {"10.1.1.1", ", ,", NULL, "10.1.1.1"},
    {"10.1.1.1", "", NULL, "10.1.1.1"},
    /* what is no address ends it: whoever wrote it is the client */
    {"10.1.1.1", "198.51.100.1, unknown", NULL, "10.1.1.1"},
    {"10.1.1.1", "198.51.100.1, _hidden, 10.2.2.2", NULL, "10.2.2.2"},
    {"10.1.1.1", "999.1.1.1", NULL, "10.1.1.1"},
    /* with a port */
    {"10.1.1.1", "198.51.100.1:4711", NULL, "198.51.100.1"},
    {"10.1.1.1", "[2001:db8::5]:4711", NULL, "2001:db8::5"},
    {"10.1.1.1", "[2001:db8::5]", NULL, "2001:db8::5"},
    {"10.1.1.1", "[2001:db8::5", NULL, "10.1.1.1"},
    /* a second header comes behind the first */
    {"10.1.1.1", "1.1.1.1", "198.51.100.1", "198.51.100.1"},
    {"10.1.1.1", "198.51.100.1", "10.2.2.2", "198.51.100.1"},
    {"10.1.1.1", "198.51.100.1", "nonsense", "10.1.1.1"},
};

static struct nds_request req;
static struct client_rule rule;

static void
rule_make(const char *trusted)
{
	static struct settings settings;

	settings_default(&settings);
	strcpy(settings.trusted_proxies, trusted);
	client_rule_open(&rule, &settings);
}

static const char *
find(const char *peer, const char *first, const char *second)
{
	char one[128], two[128], *envp[4] = {NULL}, **at = envp;

	snprintf(one, sizeof(one), "HTTP_X_FORWARDED_FOR=%s", first);
	snprintf(two, sizeof(two), "HTTP_X_FORWARDED_FOR=%s", second);
	*at++ = (char[]){"HTTP_X_FORWARDED_FORMER=1.2.3.4"};
	if (first != NULL)
		*at++ = one;
	if (second != NULL)
		*at++ = two;
	req.envp = envp;
	req.client = peer;
	client_find(&rule, &req);
	return req.client;
}

START_TEST(the_client_is_the_last_that_trusted_ones_saw)
{
	rule_make(PROXIES);
	ck_assert_msg(strcmp(find(cases[_i].peer, cases[_i].first,
				 cases[_i].second),
			  cases[_i].client) == 0, "%s: %s", cases[_i].first,
	    req.client);
}
END_TEST

/* By a front that joins headers of one name, the second was X_Forwarded_For or
 * the like, and nobody knows which is the proxy's. */
START_TEST(a_header_that_looks_alike_is_not_believed)
{
	char *envp[] = {(char[]){"HTTP_X_FORWARDED_FOR=198.51.100.1"},
	    (char[]){"NDS_HEADERS_JOINED=1"}, NULL, NULL};

	rule_make(PROXIES);
	req.envp = envp;
	req.client = "10.1.1.1";
	client_find(&rule, &req);
	ck_assert_str_eq(req.client, "198.51.100.1");
	envp[2] = (char[]){"HTTP_X_FORWARDED_FOR=6.6.6.6"};
	req.client = "10.1.1.1";
	client_find(&rule, &req);
	ck_assert_str_eq(req.client, "10.1.1.1");
}
END_TEST

START_TEST(nobody_is_trusted_unless_told)
{
	rule_make("");
	ck_assert_str_eq(find("10.1.1.1", "198.51.100.1", NULL), "10.1.1.1");
}
END_TEST

static int
same_key(const char *a, const char *b)
{
	char x[64], y[64];
	size_t bytes = client_key(a, x, sizeof(x));

	return client_key(b, y, sizeof(y)) == bytes &&
	    memcmp(x, y, bytes) == 0;
}

START_TEST(an_ipv6_client_is_its_64)
{
	ck_assert(same_key("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
	ck_assert(!same_key("2001:db8:1:2::1", "2001:db8:1:3::1"));
	ck_assert(same_key("192.0.2.1", "::ffff:192.0.2.1"));
	ck_assert(!same_key("192.0.2.1", "192.0.2.2"));
	ck_assert(!same_key("unix:", ""));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("client");
	TCase *t = tcase_create("client");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, the_client_is_the_last_that_trusted_ones_saw, 0,
	    sizeof(cases) / sizeof(*cases));
	tcase_add_test(t, a_header_that_looks_alike_is_not_believed);
	tcase_add_test(t, nobody_is_trusted_unless_told);
	tcase_add_test(t, an_ipv6_client_is_its_64);
	suite_add_tcase(s, t);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
