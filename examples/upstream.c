/* SPDX-License-Identifier: MIT */
/*
 * Calling another service without being drawn into its troubles: a slow or
 * failing UPSTREAM costs its callers neither their workers nor their answers.
 *
 *	GET /	what UPSTREAM says, or the fallback and why
 *
 *	UPSTREAM=http://127.0.0.1:8080/stock ndsd --front=lighttpd -- ./upstream
 */
#include <curl/curl.h>
#include <nds.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 4096

struct text {
	size_t used;
	char data[TEXT_MAX];
};

static struct nds_upstream *stock;
static CURL *curl; /* one a worker: it keeps the connection */

static size_t
take(char *data, size_t size, size_t count, void *into)
{
	struct text *text = into;
	size_t bytes = size * count;

	if (bytes >= TEXT_MAX - text->used)
		return 0; /* libcurl gives up */
	memcpy(text->data + text->used, data, bytes);
	text->used += bytes;
	text->data[text->used] = '\0';
	return bytes;
}

/* Returns 1 when the upstream has answered.  A 404 would be an answer too: it
 * is no sign of trouble there. */
static int
fetch(const char *url, int timeout_ms, struct text *text)
{
	long status = 0;

	text->used = 0;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, text);
	if (curl_easy_perform(curl) != CURLE_OK)
		return 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status < 500 && status != 429;
}

static int
show_stock(struct nds_request *req, struct nds_response *res)
{
	const char *url = getenv("UPSTREAM");
	struct nds_call *call = nds_call_begin(req, stock);
	struct text text = {0, ""};

	while (nds_call_next(call))
		nds_call_result(call,
		    fetch(url == NULL ? "http://127.0.0.1:8080/" : url,
			nds_call_timeout_ms(call), &text));
	if (nds_call_why(call) != NULL)
		return nds_json(res, 200, json_pack("{s:s, s:s, s:i}", "from",
		    "fallback", "why", nds_call_why(call), "worker",
		    (int)getpid()));
	return nds_json(res, 200, json_pack("{s:s, s:s, s:i}", "from",
	    "upstream", "text", text.data, "worker", (int)getpid()));
}

static int
open_curl(void *arg)
{
	(void)arg;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl = curl_easy_init();
	return curl == NULL ? -1 : 0;
}

int
main(int argc, char **argv)
{
	struct nds_app *app = nds_app_new("upstream", "1.0");

	stock = nds_upstream(app, "stock");
	nds_upstream_timeout(stock, 300);
	/* half of at least 5 tries within 10 s: open for 1 s */
	nds_upstream_breaker(stock, 50, 5, 10000, 1000);
	/* at most 2 tries, 0 to 20 ms apart; 10 % of the calls */
	nds_upstream_retries(stock, 2, 20, 20, 10);
	nds_route(app, "GET", "/", show_stock);
	nds_on_start(app, open_curl, NULL);
	return nds_run(app, argc, argv);
}
