# syntax=docker/dockerfile:1
#
# The image of the operator, for every platform from one machine:
#
#   docker buildx build --platform linux/amd64,linux/arm64 --tag ghcr.io/ecs-operator/ecs-operator:0.1.0 .
#
# The compiler runs on the builder's own platform and compiles for the target's, which emulation would do many times
# slower. Alpine's C library is musl, and its programs are static.

ARG RUST_VERSION=1.95

FROM --platform=$BUILDPLATFORM tonistiigi/xx:1.6.1 AS xx

FROM --platform=$BUILDPLATFORM rust:${RUST_VERSION}-alpine AS build
COPY --from=xx / /
# For the parts in C: the allocator and the cryptography of TLS.
RUN apk add --no-cache clang lld
ARG TARGETPLATFORM
RUN xx-apk add --no-cache gcc musl-dev
WORKDIR /src
COPY . .
# Only the operator: the other packages of the workspace are for development.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,id=target-$TARGETPLATFORM \
    xx-cargo build --release --locked --package ecs-operator --bin ecs-operator --target-dir target \
    && cp "target/$(xx-cargo --print-target-triple)/release/ecs-operator" /ecs-operator \
    && xx-verify --static /ecs-operator

# The program needs nothing else: the certificate of the API server comes with the service account, and the program
# contains the authorities of AWS.
FROM scratch
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="ecs-operator" \
      org.opencontainers.image.description="Runs Amazon ECS task definitions, services and tasks on Kubernetes" \
      org.opencontainers.image.source="https://github.com/ecs-operator/ecs-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /ecs-operator /usr/local/bin/ecs-operator
# A number: without /etc/passwd a name could not be known to be another than root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/ecs-operator"]
CMD ["controller"]
