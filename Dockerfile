# interlockd with the interlock command:
#   docker build -t interlock .
#   docker run --name interlock -v interlock:/run/interlock interlock
# Until access tokens exist the server listens on loopback only, so a published port would lead
# nowhere. Reach it through its socket, from containers that mount the same volume:
#   il_domain_open("unix:/run/interlock/interlock.sock", ...)
# or by HTTP from those that share its network (docker run --network container:interlock ...).

FROM debian:bookworm-slim AS build
COPY packaging/debian-packages /tmp/
RUN apt-get update \
    && awk '$1 == "build" { print $2 }' /tmp/debian-packages \
        | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/*
COPY . /src
WORKDIR /src
RUN cmake --preset release -DCMAKE_INSTALL_PREFIX=/usr \
    && cmake --build build \
    && DESTDIR=/out cmake --install build --strip

FROM debian:bookworm-slim
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        libcurl4 libjansson4 libmicrohttpd12 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --shell /usr/sbin/nologin interlock \
    && install -d -o interlock -g interlock -m 0700 /run/interlock
COPY --from=build /out/usr /usr
USER interlock
VOLUME /run/interlock
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s \
    CMD ["interlock", "ps"]
ENTRYPOINT ["interlockd", "--http", "127.0.0.1:7717", "--socket", "/run/interlock/interlock.sock"]
