# syntax=docker/dockerfile:1
# One image with the three programs: web, worker and starter. Each is one static binary; there is nothing else in it but
# the certificates of public authorities, for TLS to mail servers and Twilio.

# The version is that of go.mod; compose_test.go holds it to that.
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src
# The module alone: dev/ and bench/ are not part of the image.
ENV GOWORK=off CGO_ENABLED=0 GOTOOLCHAIN=local

# A layer of its own, which is made again only when a dependency changes.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download

COPY . .
ARG TARGETOS TARGETARCH
# timetzdata: time zones are in the binary, as the image has none.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -tags timetzdata -ldflags '-s -w' -o /out/ ./web ./worker ./starter

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ /usr/local/bin/
ENV PATH=/usr/local/bin
USER 65532:65532
CMD ["/usr/local/bin/web"]
