# Perch as a container image, for linux/amd64 and linux/arm64:
#   docker build -t perch .
#   docker run --init --network host -v perch-data:/data perch
# docs/install.md says how to pass cameras, microphones, a GPU and a configuration.
ARG RUNTIME=node:22-bookworm-slim

# What changes seldom: npm packages for running, and the engine.
FROM node:22-bookworm AS engine
RUN apt-get update \
  && apt-get install -y --no-install-recommends cmake ffmpeg g++ git make python3 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/perch
# nvidia: the engine for a GPU, which a build machine need not have.
ARG PERCH_GPU=off
COPY package.json package-lock.json ./
COPY deploy deploy
RUN PERCH_GPU="$PERCH_GPU" node deploy/setup/setup.mjs --production --no-install

# What changes often: the service.
FROM node:22-bookworm AS service
WORKDIR /opt/perch
COPY package.json package-lock.json tsconfig.json tsconfig.build.json ./
COPY deploy deploy
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY service service
COPY device device
RUN node deploy/setup/build.mjs

FROM ${RUNTIME}
RUN apt-get update \
  && apt-get install -y --no-install-recommends ffmpeg util-linux \
  && rm -rf /var/lib/apt/lists/* \
  && groupadd --gid 10001 perch \
  && useradd --uid 10001 --gid perch --home-dir /data --no-create-home --shell /usr/sbin/nologin perch \
  && install -d -o perch -g perch /data
# The same Node where RUNTIME is an image without one, such as NVIDIA's.
COPY --from=engine /usr/local/bin/node /usr/local/bin/node
WORKDIR /opt/perch
COPY package.json ./
COPY config config
COPY device device
COPY --from=engine /opt/perch/deploy deploy
COPY --from=engine /opt/perch/node_modules node_modules
COPY --from=engine /opt/perch/build/engine build/engine
COPY --from=service /opt/perch/dist dist
COPY config/perch.yaml /etc/perch/perch.yaml

USER perch
# `data: ./data` of the configuration, seen from here, is the volume.
WORKDIR /
VOLUME /data
# No EXPOSE: where HTTP (8473) and the embedded broker (1883) listen is the configuration's to say, and at first
# that is loopback. --network host reaches both; an external broker needs neither.
# Asks where and how the configuration says, with TLS and a token where it takes them.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["node", "/opt/perch/dist/service/main.js", "health", "--config", "/etc/perch/perch.yaml"]
ENTRYPOINT ["node", "/opt/perch/dist/service/main.js"]
CMD ["run", "--config", "/etc/perch/perch.yaml"]
