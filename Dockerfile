# The image of m2m-proxy: docker build --tag m2m-proxy .
# How to run it: docs/containers.md. What proves it without a Docker engine: scripts/prove-image.

FROM swift:6.3-bookworm AS build

# No versions: the suite fixes them, and its security updates are wanted.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends libcurl4-openssl-dev libssl-dev libyaml-dev \
  && rm -rf /var/lib/apt/lists/*

WORKDIR /src

# The manifest alone, so that a change of the sources fetches no package again.
COPY Package.swift ./
RUN swift package resolve

# The tests are not built, but the manifest names their directories, and SwiftPM insists on those.
COPY Tests Tests
COPY Sources Sources
RUN swift build --configuration release --product m2m-proxy --static-swift-stdlib --experimental-lto-mode=full \
  --disable-local-rpath -Xlinker -s

FROM debian:bookworm-slim

# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates libcurl4 libssl3 libstdc++6 libyaml-0-2 \
  && rm -rf /var/lib/apt/lists/*

COPY LICENSE /usr/share/doc/m2m-proxy/LICENSE
COPY --from=build /src/.build/release/m2m-proxy /usr/local/bin/m2m-proxy

# A library that is missing shows here, not where the image is run.
RUN ["m2m-proxy", "--version"]

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="m2m-proxy" \
  org.opencontainers.image.description="Puts OAuth 2.0 tokens on the requests of applications that cannot get them." \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"

# In numbers, so that Kubernetes can see that it is not root. No file of the image belongs to it; any other user will do.
USER 65532:65532

# Where proxy.conf should listen: 0.0.0.0:8080. Inside a container, only the container itself can reach 127.0.0.1.
EXPOSE 8080

# Running requests get time to finish (timeouts.drain, 30 s): give the container more than that to stop.
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["m2m-proxy", "health"]

# Reads /etc/m2m-proxy/proxy.conf. "check" in place of "run" shows what is wrong with it.
ENTRYPOINT ["m2m-proxy"]
CMD ["run"]
