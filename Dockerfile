# Every binary of the house; which one is the argument:
#   docker build --build-arg BINARY=gateway -t lictor/gateway .
# All are built in one step that the images share, so the second image takes seconds.
# BuildKit is needed for the caches (Docker 23 has it as its default; DOCKER_BUILDKIT=1 before).

ARG RUST_IMAGE=rust:1.98.0-slim-trixie
# The same Debian as the one above: the C library is newer or equal, never older.
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian13:nonroot

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
# Dependencies and object files outlive this layer; the runner and the house's tests are not built.
# Cargo goes by time stamps, and what is new here may be older than the cache: saved while an image was
# being built, or copied from another clone. So all of ours is touched; compiling it again takes seconds,
# because the profile is incremental.
RUN --mount=type=cache,id=lictor-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=lictor-target,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + \
    && cargo build --locked --profile native \
        -p gateway -p users -p orders -p inventory -p payments -p recommendations \
    && mkdir /out \
    && find target/native -maxdepth 1 -type f -executable -exec cp {} /out/ \;

# No shell, no package manager, user 65532.
FROM ${RUNTIME_IMAGE}
ARG BINARY
COPY --from=build /out/${BINARY} /usr/local/bin/lictor
# Listeners face the network of the container; who may reach them from outside is said by what publishes them.
ENV LICTOR_SERVER__PUBLIC=0.0.0.0:8080 \
    LICTOR_SERVER__OPS=0.0.0.0:8081 \
    LICTOR_SERVER__ADMIN=0.0.0.0:8082
EXPOSE 8080 8081 8082
# It drains for 28 s at most: stop with a grace period of 35 s.
STOPSIGNAL SIGTERM
# It asks its own /readyz: there is nothing else in here that could.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/lictor", "--probe"]
ENTRYPOINT ["/usr/local/bin/lictor"]
