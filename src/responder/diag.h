/* SPDX-License-Identifier: MIT */
/* Routes under /_diag/ that load, stall, break and measure a service. */
#ifndef RESPONDER_DIAG_H
#define RESPONDER_DIAG_H

#include <nds.h>

void diag_routes(struct nds_app *app);

#endif
