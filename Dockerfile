# SPDX-License-Identifier: MIT
#
# The whole service in one container: pool, health and lighttpd.
#
#	docker build -t no-downtime-service .
#	docker run --rm -p 3000:3000 no-downtime-service

FROM debian:bookworm-slim AS build
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
	--no-install-recommends gcc libc6-dev make autoconf automake libtool \
	pkg-config libfcgi-dev libjansson-dev libmd-dev libcurl4-openssl-dev
WORKDIR /source
COPY configure.ac Makefile.am LICENSE README.md CHANGES.md CONTRIBUTING.md \
	quickstart ./
COPY src src
COPY man man
COPY examples examples
COPY tests tests
COPY scripts scripts
COPY lighttpd lighttpd
COPY nginx nginx
RUN mkdir -p build-aux && autoreconf -fi && mkdir /build && cd /build && \
	/source/configure --prefix=/usr --sysconfdir=/etc && \
	make -j"$(nproc)" && make install-strip DESTDIR=/out && \
	rm -rf /out/usr/bin/nds-prove /out/usr/include /out/usr/share/man /out/usr/lib/pkgconfig \
	/out/usr/lib/*.la

FROM debian:bookworm-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
	--no-install-recommends lighttpd libfcgi0ldbl libjansson4 libmd0 && \
	rm -rf /var/lib/apt/lists/* && \
	useradd --system --uid 10001 --home-dir /run/nds --shell /usr/sbin/nologin nds && \
	install -d -o nds -g nds /run/nds
COPY --from=build /out /
RUN ldconfig
USER 10001:10001
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s CMD ["ndsctl", "probe", "live"]
ENTRYPOINT ["/usr/sbin/ndsd", "--front=lighttpd"]
