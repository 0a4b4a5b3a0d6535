# The whole product in one image: pages, API, workers and the embedded engine. Tags are exact but carry no digest, because nothing is pulled where
# this file is maintained; whoever builds for production adds the digests that they have checked (docker buildx imagetools inspect TAG).

FROM --platform=$BUILDPLATFORM node:22.21.1-bookworm-slim AS pages
WORKDIR /src/ui
COPY ui/package.json ui/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY ui/ ./
RUN npm run build

FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS program
ARG TARGETOS TARGETARCH
ARG VERSION=0.1.0-dev
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=pages /src/ui/dist ui/dist
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -mod=readonly -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/outband ./cmd/outband
# Folders that the program writes to. A new volume that is mounted on one takes over its owner and mode.
RUN mkdir -p /out/root && cd /out/root && mkdir -m 0700 data key && mkdir -m 1777 tmp

# No shell, no package manager, no libc: the program is static and carries its time zones.
FROM scratch
ARG VERSION=0.1.0-dev
LABEL org.opencontainers.image.title="Outband" \
      org.opencontainers.image.description="A self-hosted, out-of-band cloud access security broker" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=program /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=program --chown=65532:65532 /out/root/ /
COPY --from=program /out/outband /usr/local/bin/outband
ENV OUTBAND_DATA=/data
USER 65532:65532
EXPOSE 8080
# There is no HEALTHCHECK: ask /healthz and /readyz from outside, as Kubernetes and load balancers do.
ENTRYPOINT ["/usr/local/bin/outband"]
CMD ["serve"]
