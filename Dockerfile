# SPDX-License-Identifier: MIT
#
# One image, three roles:
#
#	docker build -t no-downtime-service .
#	docker run --rm -p 3000:3000 no-downtime-service     pool and lighttpd
#	… no-downtime-service ndsd                           the pool alone
#	… no-downtime-service lighttpd -D -f /etc/no-downtime-service/lighttpd.conf
#
# The last two share /run/nds; k8s/ runs them so.  An application of your own is
# compiled in the sdk and put into the image:
#
#	docker build -t no-downtime-service:sdk --target sdk .
#
#	FROM no-downtime-service:sdk AS build
#	COPY hello.c .
#	RUN cc -o /hello hello.c $(pkg-config --cflags --libs nds jansson)
#	FROM no-downtime-service
#	COPY --from=build /hello /usr/bin/hello
#	CMD ["ndsd", "--front=lighttpd", "--", "/usr/bin/hello"]
#
# The same inputs make the same files; with a time given to the engine the same
# layers: podman build --timestamp SECONDS, or SOURCE_DATE_EPOCH and an output
# with rewrite-timestamp=true for buildx.

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS sdk
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
	--no-install-recommends gcc libc6-dev make autoconf automake libtool \
	pkg-config libfcgi-dev libjansson-dev libmd-dev libcurl4-openssl-dev \
	libdw-dev
WORKDIR /source
COPY . .
RUN mkdir -p build-aux /build && autoreconf -fi && cd /build && \
	/source/configure --prefix=/usr --sysconfdir=/etc && \
	make -j"$(nproc)" && make install-strip && \
	make install-strip DESTDIR=/image && cd /image/usr && \
	rm -rf include share lib/pkgconfig lib/*.la lib/libnds.so \
	    lib/systemd lib/sysusers.d lib/tmpfiles.d \
	    bin/nds-prove sbin/nds-nginx && \
	rm -f /image/etc/no-downtime-service/nginx.conf \
	    /image/etc/no-downtime-service/nds.env
WORKDIR /

# What may differ from one build to the next of the same inputs is removed:
# caches, logs, and the day on which a password was set.
FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="no-downtime-service" \
      org.opencontainers.image.description="FastCGI application server that loses no request" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
	--no-install-recommends lighttpd libfcgi0ldbl libjansson4 libmd0 \
	libcurl4 libdw1 && \
	echo 'nds:x:10001:' >> /etc/group && \
	echo 'nds:x:10001:10001::/run/nds:/usr/sbin/nologin' >> /etc/passwd && \
	install -d -o 10001 -g 10001 /run/nds && \
	find / -xdev -type f -perm /6000 -exec chmod a-s {} + && \
	chmod 755 /tmp /var/tmp && \
	if [ -d /run/lock ]; then chmod 755 /run/lock; fi && \
	rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* \
	    /var/cache/ldconfig/* /var/log/* /var/lib/dpkg/*-old \
	    /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- \
	    /usr/share/doc/* /usr/share/man/*
COPY --from=sdk /image /
USER 10001:10001
EXPOSE 3000
# Graceful for both: lighttpd would take SIGTERM for an order to hurry.
STOPSIGNAL SIGINT
HEALTHCHECK --interval=10s --timeout=3s CMD ["ndsctl", "probe", "live"]
CMD ["ndsd", "--front=lighttpd"]
