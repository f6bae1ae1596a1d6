/* SPDX-License-Identifier: MIT */
/* Settings: the table, the syntax of the file, and what each mistake says. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/envfile.h"
#include "proto/settings.h"

static char directory[] = "/tmp/check_settings.XXXXXX";
static char path[64];
static char *const no_environment[] = {NULL};

static void
write_file(const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, bytes), (ssize_t)bytes);
	close(fd);
}

static void
accepts(const char *text, struct settings *s)
{
	struct nds_error err = {""};

	write_file(text, strlen(text));
	ck_assert_msg(settings_load(s, path, no_environment, &err) == 0, "%s",
	    err.text);
}

/* The file is refused, the error is path + want, and *s stays. */
static void
refuses(const void *text, size_t bytes, const char *want)
{
	struct settings s, before;
	struct nds_error err = {""};
	size_t prefix = strlen(path);

	memset(&s, 0x5a, sizeof(s));
	before = s;
	write_file(text, bytes);
	ck_assert_msg(settings_load(&s, path, no_environment, &err) == -1,
	    "taken: %.100s", (const char *)text);
	ck_assert_int_eq(memcmp(&s, &before, sizeof(s)), 0);
	ck_assert_msg(strncmp(err.text, path, prefix) == 0, "%s", err.text);
	ck_assert_msg(strstr(err.text + prefix, want) == err.text + prefix,
	    "'%s' instead of '%s'", err.text + prefix, want);
}

static void
refuses_text(const char *text, const char *want)
{
	refuses(text, strlen(text), want);
}

static int
load_environment(struct settings *s, char *pair, struct nds_error *err)
{
	char *const environment[] = {pair, NULL};

	return settings_load(s, NULL, environment, err);
}

START_TEST(defaults_are_those_of_the_contract)
{
	struct settings s;
	struct nds_error err;

	ck_assert_int_eq(settings_load(&s, NULL, no_environment, &err), 0);
	ck_assert_str_eq(s.bind_address, "0.0.0.0:3000");
	ck_assert_str_eq(s.runtime_dir, "/run/nds");
	ck_assert_int_eq(s.shutdown_timeout_ms, 30000);
	ck_assert_int_eq(s.request_timeout_ms, 20000);
	ck_assert_int_eq(s.start_timeout_ms, 10000);
	ck_assert_int_eq(s.drain_min_ms, 1000);
	ck_assert_int_eq(s.drain_quiet_ms, 1000);
	ck_assert_int_eq(s.drain_max_ms, 8000);
	ck_assert_int_eq(s.drain_ready, DRAIN_READY_FAIL);
	ck_assert_int_eq(s.queue_timeout_ms, 1000);
	ck_assert_int_eq(s.queue_target_ms, 50);
	ck_assert_int_eq(s.retry_after_ms, 1000);
	ck_assert_int_eq(s.max_body_bytes, 1048576);
	ck_assert_int_eq(s.log_level, 1);
	ck_assert_int_eq(s.log_format, LOG_FORMAT_JSON);
	ck_assert_int_eq(s.diagnostic_routes, SETTINGS_OFF);
	ck_assert_int_ge(s.workers, 2);
	ck_assert_str_eq(s.user, "");
}
END_TEST

START_TEST(environment_wins_over_file_and_file_over_default)
{
	char *const environment[] = {(char[]){"APP_WORKERS=7"},
	    (char[]){"PATH=/bin"}, (char[]){"APP_OF_MY_OWN=1"}, NULL};
	struct settings s;
	struct nds_error err;

	write_file("APP_WORKERS=5\nAPP_LOG_FORMAT=text\n", 34);
	ck_assert_int_eq(settings_load(&s, path, environment, &err), 0);
	ck_assert_int_eq(s.workers, 7);
	ck_assert_int_eq(s.log_format, LOG_FORMAT_TEXT);
	ck_assert_int_eq(settings_load_environment(&s, environment, &err), 0);
	ck_assert_int_eq(s.workers, 7);
	ck_assert_int_eq(s.log_format, LOG_FORMAT_JSON);
}
END_TEST

START_TEST(file_syntax_is_that_of_environment_files)
{
	struct settings s;

	accepts("# comment\n; another\n\n   \t\n"
	    "  APP_WORKERS = 3  \t\r\n"
	    "APP_USER='www data'\nAPP_SOCKET_GROUP=\"a\\\"b\"' c'\n"
	    "APP_FRONT_CONFIG=/etc/\\\n  x\\ y\\ \n"
	    "APP_FRONT_ALLOW=::1 10.0.0.0/8\nAPP_FRONT_MAX_BODY=2m\n"
	    "DATABASE_URL=postgres://x y=z # no comment here\n"
	    "MULTI='one\ntwo'\n"
	    "APP_QUEUE_TIMEOUT=\"2\\\ns\"\nAPP_QUEUE_TARGET=20ms", &s);
	ck_assert_int_eq(s.workers, 3);
	ck_assert_str_eq(s.user, "www data");
	ck_assert_str_eq(s.socket_group, "a\"b c");
	ck_assert_str_eq(s.front_config, "/etc/  x y ");
	ck_assert_str_eq(s.front_allow, "::1 10.0.0.0/8");
	ck_assert_int_eq(s.front_max_body_bytes, 2097152);
	ck_assert_int_eq(s.queue_timeout_ms, 2000);
	ck_assert_int_eq(s.queue_target_ms, 20);
}
END_TEST

START_TEST(a_bad_value_names_its_place_and_what_is_allowed)
{
	refuses_text("\n# x\nAPP_WORKERS=abc\n", ":3: APP_WORKERS=abc: "
	    "not a whole number, allowed: 1 to 512");
	refuses_text("X='1\n2'\nAPP_WORKERS=0", ":3: APP_WORKERS=0: "
	    "out of range, allowed: 1 to 512");
	refuses_text("APP_WORKERS=", ":1: APP_WORKERS=: not a whole number");
	refuses_text("APP_REQUEST_TIMEOUT=soon", ":1: APP_REQUEST_TIMEOUT="
	    "soon: not a time, allowed: 10ms to 60m");
	refuses_text("APP_MAX_BODY=1x", ":1: APP_MAX_BODY=1x: not a size, "
	    "allowed: 0 to 64g");
	refuses_text("APP_LOG_LEVEL=loud", ":1: APP_LOG_LEVEL=loud: not one "
	    "of the words, allowed: debug, info, warn, error");
	refuses_text("APP_BIND_ADDRESS=host:0", ":1: APP_BIND_ADDRESS=host:0: "
	    "the port is out of range, allowed: host:port or [v6]:port");
	refuses_text("APP_RUNTIME_DIR=run", ":1: APP_RUNTIME_DIR=run: not an "
	    "absolute path, allowed: an absolute path of at most 86 bytes");
	refuses_text("APP_FRONT_CONFIG=x.conf",
	    ":1: APP_FRONT_CONFIG=x.conf: not an absolute path");
	refuses_text("APP_FRONT_ALLOW=10.0.0.0/8 all", ":1: APP_FRONT_ALLOW="
	    "10.0.0.0/8 all: ");
	refuses_text("APP_USER='a\033b'",
	    ":1: APP_USER=a?b: a control character");
}
END_TEST

START_TEST(an_unknown_key_suggests_the_one_that_was_meant)
{
	struct settings s;

	refuses_text("APP_WORKER=4", ":1: APP_WORKER=4: no such setting, "
	    "did you mean APP_WORKERS?");
	refuses_text("\nAPP_FROBNICATE=4", ":2: APP_FROBNICATE=4: no such "
	    "setting, allowed: ");
	accepts("WORKERS=x\napp_workers=x\n", &s);
}
END_TEST

START_TEST(broken_lines_are_named)
{
	static char line[2 * ENVFILE_LINE_MAX];

	refuses_text("A=1\nfoo\n", ":2: not a line of the form KEY=VALUE");
	refuses_text("export A=1", ":1: `export` is not allowed here");
	refuses_text("1A=1", ":1: the key is no name");
	refuses_text("=1", ":1: the key is no name");
	refuses_text("A B=1", ":1: the key is no name");
	refuses_text("\nA='x\n\n", ":2: a quote is not closed");
	refuses_text("A=\"x\\\"", ":1: a quote is not closed");
	refuses("A=1\nB=\0\n", 8, ":2: a NUL byte");
	memset(line, 'x', sizeof(line));
	line[1] = '=';
	refuses(line, ENVFILE_LINE_MAX + 1, ":1: longer than 8192 bytes");
	for (size_t i = 60; i < sizeof(line); i += 60)
		memcpy(line + i, "\\\n", 2);
	refuses(line, sizeof(line), ":142: the value is longer than");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
	struct settings s;
	struct nds_error err;
	char want[128];

	snprintf(want, sizeof(want), "cannot read %s: it is a directory",
	    directory);
	ck_assert_int_eq(settings_load(&s, directory, no_environment, &err),
	    -1);
	ck_assert_str_eq(err.text, want);
	unlink(path);
	ck_assert_int_eq(settings_load(&s, path, no_environment, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(settings_load(&s, path, no_environment, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "it is no file"));
	unlink(path);
	ck_assert_int_eq(settings_load(&s, "/dev/zero", no_environment, &err),
	    -1);
	ck_assert_ptr_nonnull(strstr(err.text, "larger than 256 KiB"));
}
END_TEST

START_TEST(values_must_fit_together)
{
	struct settings s;
	struct nds_error err;

	refuses_text("APP_DRAIN_MIN=9\n", ":1: APP_DRAIN_MIN=9s: "
	    "APP_DRAIN_MIN=9s is more than APP_DRAIN_MAX=8s");
	refuses_text("\nAPP_DRAIN_MAX=0\n", ":2: APP_DRAIN_MAX=0s: "
	    "APP_DRAIN_MIN=1s is more than APP_DRAIN_MAX=0s");
	refuses_text("APP_QUEUE_TARGET=2", ":1: APP_QUEUE_TARGET=2s: "
	    "APP_QUEUE_TARGET=2s is more than APP_QUEUE_TIMEOUT=1s");
	refuses_text("APP_REQUEST_TIMEOUT=22", ":1: APP_REQUEST_TIMEOUT=22s: "
	    "APP_DRAIN_MAX=8s, APP_QUEUE_TIMEOUT=1s and "
	    "APP_REQUEST_TIMEOUT=22s do not fit into APP_SHUTDOWN_TIMEOUT=30s");
	accepts("APP_REQUEST_TIMEOUT=21\n", &s);
	ck_assert_int_eq(load_environment(&s,
	    (char[]){"APP_SHUTDOWN_TIMEOUT=10"}, &err), -1);
	ck_assert_ptr_eq(strstr(err.text, "environment: "
	    "APP_SHUTDOWN_TIMEOUT=10s: "), err.text);
	ck_assert_int_eq(settings_load_environment(&s, (char *const[]){
	    (char[]){"APP_SHUTDOWN_TIMEOUT=10"}, NULL}, &err), 0);
}
END_TEST

START_TEST(bounds_of_workers_follow_and_are_followed)
{
	struct settings s;

	accepts("APP_WORKERS=5", &s);
	ck_assert_int_eq(s.workers_min, 5);
	ck_assert_int_eq(s.workers_max, 5);
	accepts("APP_WORKERS_MIN=300\nAPP_WORKERS_MAX=400", &s);
	ck_assert_int_eq(s.workers, 300);
	accepts("APP_WORKERS_MAX=1", &s);
	ck_assert_int_eq(s.workers, 1);
	ck_assert_int_eq(s.workers_min, 1);
	refuses_text("APP_WORKERS=5\nAPP_WORKERS_MIN=6", ":2: "
	    "APP_WORKERS_MIN=6: APP_WORKERS_MIN=6 is more than APP_WORKERS=5");
	refuses_text("APP_WORKERS=5\nAPP_WORKERS_MAX=4", ":1: APP_WORKERS=5: "
	    "APP_WORKERS=5 is more than APP_WORKERS_MAX=4");
	refuses_text("APP_WORKERS_MIN=5\nAPP_WORKERS_MAX=4", ":1: "
	    "APP_WORKERS_MIN=5: APP_WORKERS_MIN=5 is more than "
	    "APP_WORKERS_MAX=4, allowed: at most the same");
	refuses_text("APP_WORKERS_MAX=513", ":1: APP_WORKERS_MAX=513: out of "
	    "range, allowed: 0 to 512");
}
END_TEST

START_TEST(what_is_shown_loads_as_the_same)
{
	struct settings s, back;
	struct nds_error err;
	char text[4096];
	FILE *out = fmemopen(text, sizeof(text), "w");

	accepts("APP_USER=\"o'brien\"\nAPP_MAX_BODY=3m\nAPP_WORKERS=9\n"
	    "APP_DRAIN_READY=keep\nAPP_QUEUE_TARGET=7ms\n"
	    "APP_BIND_ADDRESS=[::1]:8\n", &s);
	settings_print(&s, out);
	fclose(out);
	write_file(text, strlen(text));
	/* sh's '\'' is `'`, an escaped quote, `'` to systemd as well only
	 * outside of quotes, so read that one value back by hand */
	ck_assert_ptr_nonnull(strstr(text, "APP_USER='o'\\''brien'\n"));
	memcpy(strstr(text, "o'\\''brien"), "o_____rien", 10);
	write_file(text, strlen(text));
	ck_assert_msg(settings_load(&back, path, no_environment, &err) == 0,
	    "%s", err.text);
	ck_assert_str_eq(back.user, "o_____rien");
	memcpy(back.user, s.user, sizeof(s.user));
	ck_assert_int_eq(memcmp(&back, &s, sizeof(s)), 0);
}
END_TEST

START_TEST(every_row_has_key_help_and_a_default_it_accepts)
{
	const struct settings_row *row;
	struct settings s;
	struct nds_error err;
	char pair[2 * SETTINGS_LIST_MAX], shown[SETTINGS_LIST_MAX];

	settings_default(&s);
	for (row = settings_table; row->key != NULL; row++) {
		ck_assert_int_eq(strncmp(row->key, "APP_", 4), 0);
		ck_assert_uint_gt(strlen(row->help), 0);
		settings_show(&s, row, shown);
		snprintf(pair, sizeof(pair), "%s=%s", row->key, shown);
		ck_assert_msg(load_environment(&s, pair, &err) == 0, "%s",
		    err.text);
	}
}
END_TEST

/* Bytes at random from an alphabet that is rich in syntax: never a crash. */
START_TEST(survives_random_files)
{
	static const char alphabet[] = "A=APP_WORKERS='\"\\\n\r#; \t\0x4";
	struct settings s;
	struct nds_error err;
	char text[200];
	unsigned seed = 1;

	for (int round = 0; round < 3000; round++) {
		size_t bytes = (size_t)rand_r(&seed) % sizeof(text);

		for (size_t i = 0; i < bytes; i++)
			text[i] = alphabet[(size_t)rand_r(&seed) %
			    (sizeof(alphabet) - 1)];
		write_file(text, bytes);
		err.text[0] = '\0';
		if (settings_load(&s, path, no_environment, &err) < 0)
			ck_assert_str_ne(err.text, "");
	}
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, defaults_are_those_of_the_contract);
	tcase_add_test(tc, environment_wins_over_file_and_file_over_default);
	tcase_add_test(tc, file_syntax_is_that_of_environment_files);
	tcase_add_test(tc, a_bad_value_names_its_place_and_what_is_allowed);
	tcase_add_test(tc, an_unknown_key_suggests_the_one_that_was_meant);
	tcase_add_test(tc, broken_lines_are_named);
	tcase_add_test(tc, a_file_that_cannot_be_read_is_an_error);
	tcase_add_test(tc, values_must_fit_together);
	tcase_add_test(tc, bounds_of_workers_follow_and_are_followed);
	tcase_add_test(tc, what_is_shown_loads_as_the_same);
	tcase_add_test(tc, every_row_has_key_help_and_a_default_it_accepts);
	tcase_add_test(tc, survives_random_files);
}

int
main(void)
{
	Suite *suite = suite_create("settings");
	TCase *tc = tcase_create("settings");
	SRunner *runner;
	int failed;

	if (mkdtemp(directory) == NULL)
		return EXIT_FAILURE;
	snprintf(path, sizeof(path), "%s/file", directory);
	add_tests(tc);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(path);
	rmdir(directory);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
