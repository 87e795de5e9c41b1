# syntax=docker/dockerfile:1

FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# With the optional ones: the compiler itself is one of them.
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --omit=dev --omit=optional

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Baleen" \
      org.opencontainers.image.description="A pull-through cache and registry for container images" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /opt/baleen
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY package.json config.example.yaml LICENSE ./
# A volume takes over the owner of the folder that it is first mounted on.
RUN install -d -o node -g node /var/lib/baleen
USER node
ENV NODE_ENV=production \
    BALEEN_STORAGE_DIRECTORY=/var/lib/baleen
VOLUME /var/lib/baleen
# 5000: the registry. 5001: metrics and health, inside the container only unless told otherwise.
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:5001/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Bytes on their way through are garbage outside the heap, which only a scavenge frees: a small young
# space lets that happen often, and saves 100 MB.
ENTRYPOINT ["node", "--max-semi-space-size=2", "/opt/baleen/dist/main.js"]
