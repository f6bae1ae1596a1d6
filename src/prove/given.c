/* SPDX-License-Identifier: MIT */
#include "prove/given.h"

#include <curl/curl.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (256 << 20)

static size_t
token_bytes(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) ||
	    (text[n] != '\0' && strchr("!#$%&'*+-.^_`|~", text[n]) != NULL))
		n++;
	return n;
}

int
given_token(const char *text)
{
	return *text != '\0' && text[token_bytes(text)] == '\0';
}

int
given_header(const char *text)
{
	size_t name = token_bytes(text);

	if (name == 0 || text[name] != ':')
		return 0;
	for (const char *s = text + name; *s != '\0'; s++)
		if (iscntrl((unsigned char)*s) && *s != '\t')
			return 0;
	return 1;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
given_hex(const char *text, uint8_t *value, size_t bytes)
{
	if (strlen(text) != 2 * bytes)
		return -1;
	for (size_t i = 0; i < bytes; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		value[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

/* Reads to the end: also from a pipe, whose size nobody knows. */
static char *
read_all(FILE *from, size_t *bytes)
{
	size_t room = 65536, used = 0;
	char *data = malloc(room), *more;

	while (data != NULL) {
		used += fread(data + used, 1, room - used, from);
		if (used < room)
			break;
		errno = EFBIG;
		room *= 2;
		more = room > FILE_MAX_BYTES ? NULL : realloc(data, room);
		if (more == NULL) {
			free(data);
			return NULL;
		}
		data = more;
	}
	*bytes = used;
	return data;
}

char *
given_file(const char *path, size_t *bytes, struct nds_error *err)
{
	FILE *from = fopen(path, "rbe");
	char *data;

	if (from == NULL) {
		error_sys(err, "--data-file %s", path);
		return NULL;
	}
	errno = 0;
	data = read_all(from, bytes);
	if (data == NULL || ferror(from)) {
		error_sys(err, "--data-file %s (up to 256m)", path);
		free(data);
		data = NULL;
	}
	fclose(from);
	return data;
}

static int
scheme_is_http(CURLU *u)
{
	char *scheme = NULL;
	int is = 0;

	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK)
		is = strcmp(scheme, "http") == 0 ||
		    strcmp(scheme, "https") == 0;
	curl_free(scheme);
	return is;
}

int
given_url(const char *url, struct nds_error *err)
{
	CURLU *u = curl_url();
	CURLUcode code;
	int result = 0;

	if (u == NULL)
		return error_set(err, "no memory");
	code = curl_url_set(u, CURLUPART_URL, url, 0);
	if (code != CURLUE_OK || !scheme_is_http(u))
		result = error_set(err, "'%s' is no URL for this: "
		    "http://HOST[:PORT]/PATH or https://...", url);
	curl_url_cleanup(u);
	return result;
}
