# docker build -t phalanx .                  the image
# docker build --target test -t phalanx-test .   stops where a test fails
#
# PHALANX_COMMIT is told by `phalanx version`, since the context has no .git.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
# What seldom changes first: packages, then the sources of third parties.
COPY scripts/setup.sh scripts/
RUN scripts/setup.sh build
COPY third_party/ third_party/
RUN third_party/fetch.sh
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake/ cmake/
COPY proto/ proto/
COPY src/ src/
COPY cmd/ cmd/
COPY test/ test/
ARG PHALANX_COMMIT=unknown
RUN cmake --preset release -DPHALANX_COMMIT=${PHALANX_COMMIT} && \
    cmake --build --preset release --target phalanx-server phalanx && \
    install -D -s -t /out build/bin/phalanx-server build/bin/phalanx

FROM build AS test
RUN scripts/setup.sh test
COPY . .
RUN cmake --build --preset release && \
    ctest --test-dir build -j2 --output-on-failure -L 'unit|paper|script|sim'

FROM ${BASE} AS runtime
COPY scripts/setup.sh /tmp/
RUN /tmp/setup.sh runtime && rm -rf /tmp/setup.sh /var/lib/apt/lists/* /var/cache/apt/* && \
    useradd --system --home-dir /data --shell /usr/sbin/nologin phalanx && \
    install -d -o phalanx -g phalanx -m 0750 /data
COPY --from=build /out/ /usr/local/bin/
COPY deploy/start.sh deploy/health.sh /usr/local/bin/
# Both start, so no library is missing.
RUN phalanx-server --version && phalanx version
LABEL org.opencontainers.image.title="phalanx" \
      org.opencontainers.image.description="A replicated key-value store on Raft" \
      org.opencontainers.image.version="1.0.0"
VOLUME /data
EXPOSE 9000 8080 7946/udp
STOPSIGNAL SIGTERM
# Founding and elections are no illness: it is healthy while the process is sound.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/bin/health.sh"]
# Starts as root to take over its volume; start.sh then becomes the user phalanx.
# -s: where another init is there already, as on Fly.io.
ENTRYPOINT ["/usr/bin/tini", "-s", "--", "/usr/local/bin/start.sh"]
