# syntax=docker/dockerfile:1.7

# The lean image: rewardflow api, worker, codec-server and the operator's
# commands; no Temporal server, no shell. deploy/image_test.go builds what this
# file describes and looks at it, where no container engine runs.

FROM --platform=$BUILDPLATFORM golang:1.26.8-alpine3.24@sha256:8ac98ca534ac3f51e1f420a1dd2c15e74c75cfa0f23f3ad27eb5d7236c349a0c AS build
WORKDIR /src
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=devel
ARG COMMIT=
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOTOOLCHAIN=local
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# The tags leave out MessagePack of gin and the trace pages of gRPC, which nothing
# here uses: 6 MB.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -tags nomsgpack,grpcnotrace -ldflags "-s -w -X github.com/rewardflow/rewardflow/internal/buildinfo.version=$VERSION -X github.com/rewardflow/rewardflow/internal/buildinfo.commit=$COMMIT" -o /out/rewardflow ./cmd/rewardflow
# A volume that is mounted here for the first time takes over its owner.
RUN mkdir -p /out/data

FROM gcr.io/distroless/static-debian13:nonroot@sha256:e2e927ec666bae08560abb3c55d0659eceabb657f56b6782ab500a9fc7f555e3
ARG VERSION=devel
ARG COMMIT=
LABEL org.opencontainers.image.title="rewardflow" \
      org.opencontainers.image.description="Fulfils FirstPromoter rewards with Temporal, and never pays twice" \
      org.opencontainers.image.source="https://github.com/rewardflow/rewardflow" \
      org.opencontainers.image.documentation="https://github.com/rewardflow/rewardflow/blob/main/docs/deployment.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build --chown=65532:65532 --chmod=0700 /out/data /var/lib/rewardflow
COPY --from=build --chmod=0555 /out/rewardflow /rewardflow
COPY LICENSE /LICENSE
ENV REWARDFLOW_CONFIG=/etc/rewardflow/rewardflow.yaml REWARDFLOW_DATA_DIR=/var/lib/rewardflow REWARDFLOW_LISTEN=:8080
VOLUME ["/var/lib/rewardflow"]
WORKDIR /var/lib/rewardflow
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/rewardflow", "healthcheck"]
ENTRYPOINT ["/rewardflow"]
CMD ["api"]
