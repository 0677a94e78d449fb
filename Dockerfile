# hongbao as a static binary on an image without shell or packages, as a user without rights.
#
#   docker build -t hongbao .
#   docker run --rm hongbao version
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Without cgo nothing of the image below is needed; the .git directory gives the binary its version.
RUN CGO_ENABLED=0 go build -trimpath -o /out/hongbao ./cmd/hongbao && mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/hongbao /hongbao
# A volume takes over the owner of the directory that it covers: the user "nonroot".
COPY --from=build --chown=65532:65532 /out/data /data
ENV HONGBAO_DATA=/data
VOLUME /data
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/hongbao", "health"]
ENTRYPOINT ["/hongbao"]
CMD ["run"]
